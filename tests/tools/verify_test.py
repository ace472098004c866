"""sparsec verify: a pattern's kernels against the reference, as a user sees it."""
import json
import unittest

from command import CommandTest


# What `-n` asks for: plain, apart, counting, keyless; for backward counting in each gradient.
FORWARD = 3 * [("forward", "out"), ("forward", "lse")] + [("forward", "out")]
BACKWARD = 6 * [("backward", "dq"), ("backward", "dk"), ("backward", "dv")]
DECODE = 2 * [("decode", "out"), ("decode", "lse")] + [("decode", "out")]
MASS = 2 * [("mass", "mass_0"), ("mass", "squares_0")]


class Verify(CommandTest):
    def test_one_case(self):
        out = self.works("verify", "strided", "--device=sim", "-n", "100", "--head-dim", "32")
        self.assertTrue(out.startswith("device: sim, "), out)
        self.assertTrue(out.endswith("\npassed: 68 of 68 outputs within the bound\n"), out)

    def test_cpu_takes_f32_and_any_number_of_threads(self):
        for threads in ("1", "2"):
            out = self.works("verify", "strided", "--device=cpu", "-n", "90", "--threads", threads)
            self.assertRegex(out, rf"^device: cpu, {threads} threads? of ")
            self.assertIn("f32, head dim 64, n 90", out)
            self.assertTrue(out.endswith("\npassed: 68 of 68 outputs within the bound\n"), out)

    def test_a_device_runs_its_own_code_alone(self):
        self.refuses(1, "error: device cpu does not run code for sm_80\n", "verify", "strided", "--device=cpu",
                     "--target", "sm_80", "-n", "64")

    def test_json(self):
        report = json.loads(self.works("verify", "local", "--device=sim", "-n", "70", "--dtype", "f32", "--json"))
        self.assertEqual((report["device"], report["passed"]), ("sim", True))
        self.assertEqual([(case["operation"], case["output"]) for case in report["cases"]],
                         FORWARD + BACKWARD + DECODE + MASS)
        for case in report["cases"]:
            n = 3 if case["case"].endswith("lengths 3") else 70
            self.assertEqual((case["dtype"], case["n"], case["head_dim"]), ("f32", n, 64))
            self.assertTrue(case["passed"] and 0 <= case["error"] <= case["bound"], case)

    def test_operations(self):
        self.assertEqual(self.works("verify", "local", "--device=sim", "-n", "33", "-q", "--op", "forward,backward,decode,mass"),
                         self.works("verify", "local", "--device=sim", "-n", "33", "-q"))

    def test_backward(self):
        self.assertEqual(self.works("verify", "local", "--device=cpu", "-n", "33", "-q", "--op", "backward"),
                         "passed: 18 of 18 outputs within the bound\n")
        report = json.loads(self.works("verify", "local", "--device=cpu", "-n", "33", "--op", "forward,backward", "--json"))
        self.assertEqual([(case["operation"], case["output"]) for case in report["cases"]],
                         FORWARD + BACKWARD)

    def test_a_length_keeps_the_sharp_cases(self):
        def cases(*flags):
            report = json.loads(self.works("verify", "local", "--device=cpu", "-n", "33", "--op", "forward,backward", *flags, "--json"))
            return list(dict.fromkeys(case["case"] for case in report["cases"]))

        apart = "f32, head dim 64, n 33, nq 17, 2 x 2 heads, BSHD + 3 x 4, peaked"
        counting = "f32, head dim 64, value dim 16, n 33, nq 38, 1 x 2 heads (1 kv), BHSD, counting"
        keyless = "f32, head dim 64, n 33, nq 24, q0 -16, 1 x 2 heads, BHSD"
        plain = "f32, head dim 64, n 33, 1 x 1 heads, BHSD"
        self.assertEqual(cases(), [plain, apart, counting, keyless + ", no lse", plain + ", dlse", keyless + ", dlse",
                                   *(f"{counting} in {gradient}" for gradient in ("dq", "dk", "dv"))])
        for case in cases("--heads", "3", "--value-dim", "32"):  # as asked
            self.assertRegex(case, r"value dim 32, .* x 3 heads, ")

    def test_operations_without_a_pattern(self):
        self.assertEqual(self.works("verify", "--op", "layer_norm", "--device=cpu", "--rows", "5", "--columns", "33", "-q"),
                         "passed: 3 of 3 outputs within the bound\n")
        report = json.loads(self.works("verify", "local", "--op", "forward,cross_entropy", "--device=cpu", "-n", "33", "--rows", "5",
                                       "--columns", "20", "--json"))
        self.assertEqual([(case["operation"], case["output"]) for case in report["cases"]],
                         [*FORWARD, ("cross_entropy", "loss"), ("cross_entropy", "total"),
                          ("cross_entropy", "dlogits")])
        self.refuses(1, "error: --op layer_norm: no pattern is about it, so it takes no PATTERN and no -e\n", "verify", "local",
                     "--op", "layer_norm")

    def test_quiet(self):
        out = self.works("verify", "local", "--device=sim", "-n", "33", "-q")
        self.assertEqual(out, "passed: 34 of 34 outputs within the bound\n")

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
