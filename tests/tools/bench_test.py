"""sparsec bench, as a user sees it."""
import json
import unittest

from command import CommandTest

QUARTER = "(q // 64 + k // 64) % 4 == 0"
OPENBLAS = ["openblas dense", "openblas sgemm q k^T", "openblas sgemm p v"]


class Bench(CommandTest):
    def bench(self, *arguments):
        return json.loads(self.works("bench", *arguments, "--device=cpu", "-n", 512, "--samples", 3, "--threads", 2, "--json"))

    def test_the_simulator_is_no_clock(self):
        self.refuses(3, "error: the simulator's times say nothing about a machine; bench needs --device=cuda or cpu\n",
                     "bench", "local", "--device=sim")

    def test_every_pattern_is_looked_up(self):
        self.refuses(1, "error: there is no pattern 'locel' in the zoo; did you mean 'local'?\n"
                        "note: 'sparsec zoo' lists it; a path has a '/' or ends in .yaml\n",
                     "bench", "strided", "locel", "--device=sim")

    def test_what_is_asked_for(self):
        self.refuses(2, "error: PATTERN: missing: a path, a name of the zoo, - or -e EXPR\n"
                        "note: 'sparsec bench --help' lists what there is\n", "bench")

    def test_parameters_go_to_the_patterns_that_have_them(self):
        rows = {row["pattern"]: row for row in self.bench("local", "-e", QUARTER, "--param", "l=16", "--baselines", "dense")["rows"]}
        pairs = sum(min(i + 1, 16) for i in range(512))
        self.assertAlmostEqual(rows["local"]["gflops_live"] * rows["local"]["median_ms"] * 1e6, 4 * 64 * pairs, delta=1e3)
        self.refuses(1, "error: --param: none of the patterns has a parameter 'm'\n",
                     "bench", "local", "strided", "--param", "m=3", "--device=cpu")
        # Dense attention is timed anyway, but what was asked of it is looked at.
        self.refuses(1, "--param:1:1: error: pattern 'dense' has no parameter 'm'\n  m=1\n  ^\nnote: it has no parameters\n",
                     "bench", "dense", "--device=cpu", "--param", "m=1")

    def test_the_rows(self):
        report = self.bench("local", "-e", QUARTER, "-e", "k == q", "--batch", 2)
        rows = {row["pattern"]: row for row in report["rows"]}
        kernels = ["dense", "local", QUARTER, "k == q"]
        blas = OPENBLAS if report["openblas"].startswith("OpenBLAS 0") else []
        self.assertEqual(list(rows), kernels + ["fma peak"] + blas)
        for name, row in rows.items():
            self.assertEqual((row["n"], row["batch"], row["heads"], row["dtype"], row["threads"], row["samples"]),
                             (512, 2, 1, "f32", 2, 3))
            self.assertLessEqual(row["low_ms"], row["median_ms"])
            self.assertLessEqual(row["median_ms"], row["high_ms"])
            self.assertGreater(row["median_ms"], 0)
            self.assertAlmostEqual(row["fraction_of_peak"], row["gflops_computed"] / rows["fma peak"]["gflops_computed"])
            self.assertEqual(row["kind"], "kernel" if name in kernels else "peak" if name == "fma peak" else "baseline")
            if row["operation"] == "forward":
                self.assertAlmostEqual(row["speedup_over_dense"], rows["dense"]["median_ms"] / row["median_ms"])
        # Operations: 2 (head dim + value dim) for each pair, n pairs by n, 2 sequences.
        for name in ["dense", *blas[:1]]:
            self.assertAlmostEqual(rows[name]["gflops_live"] * rows[name]["median_ms"] * 1e6, 2 * 512 * 512 * 256, delta=1)
        self.assertEqual(rows[QUARTER]["ideal_speedup"], 4)
        self.assertEqual(rows["k == q"]["ideal_speedup"], 512)
        self.assertGreater(rows["k == q"]["gflops_computed"], rows["k == q"]["gflops_live"])
        self.assertGreater(rows["local"]["compile_ms"], 0)
        self.assertLess(rows["local"]["reuse_us"], 1000)

    def test_a_sweep_has_a_row_for_each_point(self):
        out = self.works("bench", "strided", "local", "--param", "l=16,32", "-n", "64,128,512", "--samples", 3, "--device=cpu", "--baselines",
                         "dense", "--png", "times.png", "--json")
        rows = [(row["pattern"], row.get("params"), row["n"]) for row in json.loads(out)["rows"] if row["kind"] == "kernel"]
        self.assertEqual(rows, [(pattern, params, n) for n in (64, 128, 512) for pattern, params in
                                [("dense", None), *((pattern, {"l": l}) for pattern in ("strided", "local") for l in (16, 32))]])
        self.assertTrue((self.folder / "times.png").read_bytes().startswith(b"\x89PNG"))
        for row in json.loads(out)["rows"]:
            if row["kind"] == "kernel":
                self.assertGreater(row["predicted_ms"], 0)
                self.assertGreater(row["speedup_over_dense"], 0)  # of dense at the same length

    def test_a_sweep_as_text(self):
        out = self.works("bench", "local", "--param", "l=16,32", "-n", 64, "--samples", 3, "--device=cpu", "--baselines", "none", "--png", "a.png")
        table = [line.split()[:3] for line in out.split("\n\n")[1].splitlines()]
        self.assertEqual(table, [["pattern", "l", "n"], ["local", "16", "64"], ["local", "32", "64"], ["fma", "peak", "-"]])
        self.assertTrue(out.endswith("\nwrote a.png\n"), out)

    def test_what_is_no_sweep_is_refused(self):
        self.refuses(1, "error: --png draws a sweep: it needs several values of -n or of a --param, as -n 1024,4096 or --param l=64,128\n",
                     "bench", "local", "--png", "a.png", "--device=cpu")
        self.refuses(1, "error: --param l: expected a whole number, found 'x'\n", "bench", "local", "--param", "l=3,x", "--device=cpu")

    def test_baselines_are_a_choice(self):
        rows = [row["pattern"] for row in self.bench("causal", "--baselines", "dense")["rows"]]
        self.assertEqual(rows, ["dense", "causal", "fma peak"])
        report = self.bench("causal", "--baselines", "none")
        self.assertEqual([row["pattern"] for row in report["rows"]], ["causal", "fma peak"])
        self.assertIsNone(report["rows"][0]["speedup_over_dense"])
        report = self.bench("causal", "--dtype", "bf16")
        self.assertEqual([row["pattern"] for row in report["rows"]], ["dense", "causal", "fma peak"])
        self.assertEqual(report["openblas"], "OpenBLAS computes f32 alone: no rows of it")

    def test_backward_is_a_row_of_its_own(self):
        report = self.bench("-e", QUARTER, "strided", "--op", "forward,backward", "--head-dim", 32, "--value-dim", 64,
                            "--block", 64, "--heads", 2, "--kv-heads", 1, "--baselines", "dense")
        rows = {(row["pattern"], row["operation"]): row for row in report["rows"]}
        self.assertEqual(list(rows), [(name, operation) for name in ("dense", "strided", QUARTER) for operation in ("forward", "backward")]
                         + [("fma peak", "fma")])

        def operations(row, rate):
            return row[rate] * row["median_ms"] * 1e6

        pairs = 2 * 512 * 512
        for name, share in (("dense", 1), (QUARTER, 4)):
            forward, backward = rows[name, "forward"], rows[name, "backward"]
            # Two products of forward; of backward five that its gradients are made of, and seven that it computes.
            self.assertAlmostEqual(operations(forward, "gflops_live"), 2 * (32 + 64) * pairs / share, delta=1)
            self.assertAlmostEqual(operations(backward, "gflops_live"), 2 * (3 * 32 + 2 * 64) * pairs / share, delta=1)
            self.assertAlmostEqual(operations(backward, "gflops_computed"), 2 * (4 * 32 + 3 * 64) * pairs / share, delta=1)
            self.assertEqual(backward["ideal_speedup"], share)
        for name in ("dense", "strided", QUARTER):
            backward = rows[name, "backward"]
            self.assertAlmostEqual(backward["speedup_over_dense"], rows["dense", "backward"]["median_ms"] / backward["median_ms"])
            self.assertAlmostEqual(backward["fraction_of_peak"], backward["gflops_computed"] / rows["fma peak", "fma"]["gflops_computed"])
            self.assertGreater(backward["compile_ms"], 0)
            self.assertGreater(backward["predicted_ms"], rows[name, "forward"]["predicted_ms"])
            self.assertIsNone(backward["reuse_us"])
        alone = self.bench("local", "--op", "backward")
        self.assertEqual([(row["pattern"], row["operation"]) for row in alone["rows"]],
                         [("dense", "backward"), ("local", "backward"), ("fma peak", "fma")])

    def test_backward_of_distinct_layers(self):
        rows = self.bench("strided-interleaved", "--op", "backward", "--baselines", "none")["rows"]
        self.assertGreater(len([row for row in rows if row["operation"] == "backward" and row["layers"]]), 1)

    def test_operations_that_are_not_timed_are_refused(self):
        self.refuses(2, "error: --op: expected forward, backward or decode, found 'matmul'\n"
                        "note: 'sparsec bench --help' lists what there is\n", "bench", "local", "--op", "forward,matmul")

    def test_decode(self):
        rows = {(row["pattern"], row["operation"]): row for row in self.bench("strided", "--op", "decode")["rows"]}
        self.assertEqual(list(rows), [("dense", "decode"), ("strided", "decode"), ("fma peak", "fma")])
        for name in ("dense", "strided"):
            self.assertGreater(rows[name, "decode"]["median_ms"], 0)
        # The last of 512 queries sees 128 keys in one head, 4 in the other.
        self.assertAlmostEqual(rows["strided", "decode"]["ideal_speedup"], 1024 / 132, places=2)

    def test_the_text(self):
        out = self.works("bench", "local", "--device=cpu", "-n", 512, "--samples", 3, "--threads", 1)
        self.assertRegex(out, r"^device: cpu, .+\nforward, f32, head dim 64, batch 1, 1 head \(1 kv\), 1 thread\npeak: .+\n")
        self.assertRegex(out, r"\npattern +n +ms +quartiles +GFLOP/s live +computed +of peak +over dense +ideal")
        self.assertRegex(out, r"\nlocal +512 +\d+\.\d{4} ")
        self.assertRegex(out, r"\nfma peak +512 .* 100\.0 % ")
        out = self.works("bench", "local", "--device=cpu", "-n", 512, "--samples", 3, "--threads", 1, "--op", "backward,forward", "--baselines=none")
        self.assertRegex(out, r"^device: cpu, .+\nbackward and forward, f32, head dim 64, ")
        self.assertRegex(out, r"\npattern +operation +n +ms +")
        self.assertRegex(out, r"\nlocal +backward +512 +\d+\.\d{4} ")


if __name__ == "__main__":
    unittest.main()
