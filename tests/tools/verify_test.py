"""sparsec verify: a pattern's kernels against the reference, as a user sees it."""
import json
import unittest

from command import CommandTest


FORWARD, BACKWARD = [("forward", "out"), ("forward", "lse")], [("backward", "dq"), ("backward", "dk"), ("backward", "dv")]
DECODE, MASS = [("decode", "out"), ("decode", "lse")], [("mass", "mass_0"), ("mass", "squares_0")]


class Verify(CommandTest):
    def test_one_case(self):
        out = self.works("verify", "strided", "--device=sim", "-n", "100", "--head-dim", "32")
        self.assertTrue(out.startswith("device: sim, "), out)
        self.assertTrue(out.endswith("\npassed: 50 of 50 outputs within the bound\n"), out)

    def test_cpu_takes_f32_and_any_number_of_threads(self):
        for threads in ("1", "2"):
            out = self.works("verify", "strided", "--device=cpu", "-n", "300", "--threads", threads)
            self.assertRegex(out, rf"^device: cpu, {threads} threads? of ")
            self.assertIn("f32, head dim 64, n 300", out)
            self.assertTrue(out.endswith("\npassed: 50 of 50 outputs within the bound\n"), out)

    def test_a_device_runs_its_own_code_alone(self):
        self.refuses(1, "error: device cpu does not run code for sm_80\n", "verify", "strided", "--device=cpu",
                     "--target", "sm_80", "-n", "64")

    def test_json(self):
        report = json.loads(self.works("verify", "local", "--device=sim", "-n", "70", "--dtype", "f32", "--json"))
        self.assertEqual((report["device"], report["passed"]), ("sim", True))
        self.assertEqual([(case["operation"], case["output"]) for case in report["cases"]],
                         3 * FORWARD + 5 * BACKWARD + DECODE + MASS)
        for case in report["cases"]:
            self.assertEqual((case["dtype"], case["n"], case["head_dim"]), ("f32", 70, 64))
            self.assertTrue(case["passed"] and 0 <= case["error"] <= case["bound"], case)

    def test_operations(self):
        self.assertEqual(self.works("verify", "local", "--device=sim", "-n", "33", "-q", "--op", "forward,backward,decode,mass"),
                         self.works("verify", "local", "--device=sim", "-n", "33", "-q"))

    def test_backward(self):
        self.assertEqual(self.works("verify", "local", "--device=cpu", "-n", "33", "-q", "--op", "backward"),
                         "passed: 15 of 15 outputs within the bound\n")
        report = json.loads(self.works("verify", "local", "--device=cpu", "-n", "33", "--op", "forward,backward", "--json"))
        self.assertEqual([(case["operation"], case["output"]) for case in report["cases"]],
                         3 * FORWARD + 5 * BACKWARD)

    def test_a_length_keeps_the_sharp_cases(self):
        report = json.loads(self.works("verify", "local", "--device=cpu", "-n", "33", "--json"))
        texts = list(dict.fromkeys(case["case"] for case in report["cases"]))
        self.assertEqual(texts, ["f32, head dim 64, n 33, 1 x 1 heads, BHSD",
                                 "f32, head dim 64, n 33, 1 x 2 heads, BSHD + 3 x 4, peaked",
                                 "f32, head dim 64, n 33, 1 x 2 heads, BHSD, counting",
                                 "f32, head dim 64, n 33, 1 x 1 heads, BHSD, dlse",
                                 *(f"f32, head dim 64, n 33, 1 x 2 heads (1 kv), BHSD, counting in {output}" for output in ("dq", "dk", "dv")),
                                 "f32, head dim 64, n 33, nq 1, 3 x 1 heads, BHSD, lengths 33 17 1",
                                 "f32, head dim 64, n 33, 1 x 1 heads, BHSD, blocks of 32 x 32"])

    def test_operations_without_a_pattern(self):
        self.assertEqual(self.works("verify", "--op", "layer_norm", "--device=cpu", "--rows", "5", "--columns", "33", "-q"),
                         "passed: 3 of 3 outputs within the bound\n")
        report = json.loads(self.works("verify", "local", "--op", "forward,cross_entropy", "--device=cpu", "-n", "33", "--rows", "5",
                                       "--columns", "20", "--json"))
        self.assertEqual([(case["operation"], case["output"]) for case in report["cases"]],
                         [*3 * FORWARD, ("cross_entropy", "loss"), ("cross_entropy", "total"),
                          ("cross_entropy", "dlogits")])
        self.refuses(1, "error: --op layer_norm: no pattern is about it, so it takes no PATTERN and no -e\n", "verify", "local",
                     "--op", "layer_norm")

    def test_quiet(self):
        out = self.works("verify", "local", "--device=sim", "-n", "33", "-q")
        self.assertEqual(out, "passed: 25 of 25 outputs within the bound\n")

    def test_full_takes_no_sizes(self):
        self.refuses(1, "error: --full runs every size and type: it takes no -n, --nq, --q0, --heads, --kv-heads, --head-dim, "
                        "--value-dim, --dtype, --block, --rows or --columns\n", "verify", "local", "--full", "-n", "3")

    def test_no_gpu(self):
        env = json.loads(self.works("env", "--json"))
        if any(item["found"] for item in env["items"] if item["name"] == "cuda"):
            self.skipTest("there is a GPU")
        code, out, err = self.run_sparsec("verify", "local", "--device=cuda")
        self.assertEqual((code, out), (3, ""))
        self.assertRegex(err, r"^error: .*driver.*\n")


if __name__ == "__main__":
    unittest.main()
