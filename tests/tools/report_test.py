"""What sparsec reports: exact numbers, JSON that keeps its schema, colour and progress on terminals only."""
import json
import os
import pty
import re
import resource
import subprocess
import unittest

from command import ENVIRONMENT, SPARSEC, CommandTest


class Report(CommandTest):
    def stats(self, *arguments):
        return json.loads(self.works("show", *arguments, "--stats", "--json"))

    def terminal(self, *arguments, **environment):
        """What a run prints on a terminal."""
        try:
            main, side = pty.openpty()
        except OSError as error:
            self.skipTest(f"this machine has no pseudo-terminals: {error}")
        child = subprocess.Popen([SPARSEC, *arguments], stdin=side, stdout=side, stderr=side, cwd=self.folder,
                                 env={**ENVIRONMENT, **environment})
        os.close(side)
        seen = b""
        try:
            while more := os.read(main, 65536):
                seen += more
        except OSError:
            pass  # how a terminal says that nobody writes to it any more
        os.close(main)
        self.assertEqual(child.wait(), 0)
        return seen.decode().replace("\r\n", "\n")

    def test_the_counts_of_the_paper(self):
        """Elements and live blocks at n = 12,288, l = 128, blocks of 32 in natural order."""
        for pattern, index, elements, live in (("strided", 0, 1_564_736, None), ("strided", 1, 595_968, 18_624)):
            head = self.stats(pattern, "-n", "12288", "--block", "32", "--order", "natural")["heads"][index]
            self.assertEqual(head["elements"], elements)
            if live:
                self.assertEqual(head["blocks"]["live"], live)

    def test_stats_schema(self):
        report = self.stats("strided", "-n", "1000", "--heads", "5")
        self.assertEqual(list(report), ["pattern", "n", "nq", "q0", "heads"])
        self.assertEqual([h["heads"] for h in report["heads"]], [[0, 2, 4], [1, 3]])
        for head in report["heads"]:
            self.assertEqual(list(head), ["name", "heads", "elements", "keys_per_query", "density", "density_causal",
                                          "order", "block", "blocks", "saved_over_causal", "exact", "parts", "useful",
                                          "predicted_ms", "backward"])
            passes = head["backward"]["passes"]
            self.assertEqual([each["pass"] for each in passes], ["queries", "keys"])
            for each in passes:
                self.assertEqual(list(each), ["pass", "order", "block", "blocks", "saved_over_causal", "exact", "parts", "useful",
                                              "predicted_ms"])
                self.assertEqual(each["blocks"]["live"], each["blocks"]["full"] + each["blocks"]["partial"])
            self.assertAlmostEqual(head["backward"]["predicted_ms"], sum(each["predicted_ms"] for each in passes), delta=1e-12)
            self.assertGreater(head["backward"]["predicted_ms"], head["predicted_ms"])
            self.assertEqual(head["density"], head["elements"] / 1000**2)
            self.assertEqual(head["density_causal"], head["elements"] / (1000 * 1001 / 2))
            self.assertEqual(head["keys_per_query"], head["elements"] / 1000)
            self.assertEqual(head["blocks"]["live"], head["blocks"]["full"] + head["blocks"]["partial"])
        self.assertEqual(self.stats("causal")["heads"][0]["saved_over_causal"], 0)

    def test_heads_that_differ_have_rows_of_their_own(self):
        names = [h["name"] for h in self.stats("fixed-heads", "--heads", "3", "-n", "512")["heads"]]
        self.assertEqual(names, ["fixed h=0", "fixed h=1", "fixed h=2"])

    def test_pictures(self):
        self.assertEqual(self.works("show", "-e", "causal and local(3)", "-n", "8", "--block", "2"), """\
pattern, n = 8

head0  rows q, columns k; # attends
# . . . . . . .
# # . . . . . .
# # # . . . . .
. # # # . . . .
. . # # # . . .
. . . # # # . .
. . . . # # # .
. . . . . # # #

blocks of 2x2; F full, P partial, . empty
P . . .
P P . .
. P P .
. . P P
""")

    def test_stats_table(self):
        self.assertEqual(self.works("show", "strided", "--stats", "-n", "1024", "--block", "64", "--heads", "16"), """\
strided, n = 1,024, bf16

head    of the model   pass               order        block  density  keys/query  live  full  partial   saved  useful  predicted
row     0 2 4 6 .. 14  forward            natural      64x64   11.7 %         120    45    15       30  66.9 %  66.7 %    11.0 us
                       backward, queries  natural      64x64                         45    15       30  66.9 %  66.7 %    18.5 us
                       backward, keys     natural      64x64                         45    15       30  66.9 %  66.7 %    15.6 us
column  1 3 5 7 .. 15  forward            residue 128  64x64   0.44 %         4.5    16     0       16  88.2 %   7.0 %     7.9 us
                       backward, queries  residue 128  64x64                         16     0       16  88.2 %   7.0 %    14.3 us
                       backward, keys     residue 128  64x64                         16     0       16  88.2 %   7.0 %    10.4 us

saved: of the block products of dense causal attention; predicted: on sm_80, by the cost model
""")

    def test_compile_report(self):
        report = self.works("strided", "--block", "64", "-o", "out")
        report = re.sub(r"\d+ (B|KB)\b", "SIZE", report)
        report = re.sub(r" +SIZE", " SIZE", re.sub(r"in [0-9.]+ s", "in TIME", report))
        self.assertEqual(report, """\
strided l=128: bf16, head dim 64, 2 heads; counted at n = 4,096

head    of the model  pass               order        block  density  keys/query  live  full  partial   saved  useful  predicted
row     0             forward            natural      64x64    3.1 %         126   189    63      126  90.9 %  66.7 %     7.3 us
                      backward, queries  natural      64x64                        189    63      126  90.9 %  66.7 %    13.0 us
                      backward, keys     natural      64x64                        189    63      126  90.9 %  66.7 %     9.5 us
column  1             forward            residue 128  64x64    0.4 %        16.5    64     0       64  96.9 %  25.8 %     5.8 us
                      backward, queries  residue 128  64x64                         64     0       64  96.9 %  25.8 %    10.9 us
                      backward, keys     residue 128  64x64                         64     0       64  96.9 %  25.8 %     6.9 us

saved: of the block products of dense causal attention; predicted: on sm_80, by the cost model

wrote out: 9 files, SIZE, in TIME
  row.forward.sm_80.ptx SIZE
  row.backward.sm_80.ptx SIZE
  row.backward_dkv.sm_80.ptx SIZE
  column.forward.sm_80.ptx SIZE
  column.backward.sm_80.ptx SIZE
  column.backward_dkv.sm_80.ptx SIZE
  manifest.json SIZE
  strided.h SIZE
  sparsec.json SIZE
""")

    def test_a_million_tokens(self):
        """Planned and compiled in little memory, from a few numbers for each head."""
        for pattern in ("local", "strided", "fixed"):
            with self.subTest(pattern):
                report = json.loads(self.works(pattern, "--param", "l=1024", "-n", 1 << 20, "-o", "out", "--json"))
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                self.assertLess(after.ru_maxrss, 200 << 10)
                tables = [each for each in report["files"] if each["name"].endswith(".i32")]
                for kernels in ("forward", "backward", "backward_dkv"):
                    own = [each["bytes"] for each in tables if each["name"].split(".")[-4] == kernels]
                    self.assertTrue(0 < sum(own) < 10_000, tables)

    def test_four_million_tokens(self):
        """Rows with a closed form are not listed, so nothing bounds how many blocks they have."""
        report = json.loads(self.works("causal", "-n", 1 << 22, "-o", "out", "--json"))
        self.assertEqual(report["heads"][0]["blocks"]["live"], 65_536 * 65_537 // 2)
        self.assertLess(sum(each["bytes"] for each in report["files"] if each["name"].endswith(".i32")), 1000)
        self.assertIn("closed form", self.works("explain", "causal", "-n", 1 << 22))
        self.assertIn(" 2,147,516,416 ", self.works("show", "causal", "--stats", "-n", 1 << 22))
        self.refuses(3, "error: this kernel reads its blocks from tables, whose 32-bit offsets reach 2147483647 blocks; "
                     "1 table of 65536 rows would list 2147516416; a larger block has fewer\n",
                     "causal", "-n", 1 << 22, "--dtype", "f16", "--head-dim", "256", "--block", "64", "--op", "forward")

    def test_compile_json(self):
        report = json.loads(self.works("strided", "--json"))
        self.assertEqual(list(report), ["pattern", "out", "n", "heads", "files", "seconds"])
        self.assertEqual(report["out"], "./strided.kernels")
        sizes = {file["name"]: file["bytes"] for file in report["files"]}
        self.assertEqual(sizes, {name: os.path.getsize(self.folder / "strided.kernels" / name)
                                 for name in os.listdir(self.folder / "strided.kernels")})

    def test_quiet(self):
        self.assertEqual(self.works("strided", "-q"), "")

    def test_zoo(self):
        listed = json.loads(self.works("zoo", "--json"))["patterns"]
        for name in ("dense", "causal", "local", "strided", "strided-merged", "fixed"):
            [row] = [row for row in listed if row["name"] == name]
            self.write(f"{name}.yaml", self.works("zoo", name))
            self.assertEqual(self.works("explain", f"{name}.yaml", "--after=pattern"),
                             self.works("explain", name, "--after=pattern"))
            self.assertIn(f"\n{name}", "\n" + self.works("zoo"))
            self.assertTrue(row["heads"] and row["doc"])

    def test_env(self):
        report = json.loads(self.works("env", "--json", environment={"SPARSEC_PTXAS": "none", "SPARSEC_NVRTC": "none"}))
        found = {item["name"]: item for item in report["items"]}
        self.assertEqual(list(found), ["cuda", "cpu", "sim", "NVRTC", "ptxas", "cache"])
        self.assertTrue(found["sim"]["found"])
        self.assertFalse(found["NVRTC"]["found"] or found["ptxas"]["found"])
        for item in report["items"]:
            self.assertTrue(item["detail"] and item["gives"], item)

    def test_explain_stages(self):
        for stage, text in (("pattern", "attend:"), ("layout", "live"), ("plan", "strided_row_forward"),
                            ("sparsec", "sparsec."), ("tile", "tile.fold"), ("warp", "warp."), ("llvm", "llvm."),
                            ("ptx", ".visible .entry strided_row_forward")):
            self.assertIn(text, self.works("explain", "strided", f"--after={stage}"))
        self.works("local", "-o", "l")
        self.assertEqual(self.works("explain", "local", "--after=ptx"), (self.folder / "l/local.forward.sm_80.ptx").read_text())
        sections = json.loads(self.works("explain", "local", "--op", "forward,backward", "--after=ptx", "--json"))["sections"]
        self.assertEqual([(each["name"], each["text"]) for each in sections],
                         [(f"local_local_{name}", (self.folder / "l" / f"local.{file}.sm_80.ptx").read_text()) for name, file in
                          (("forward", "forward"), ("backward, over queries", "backward"),
                           ("backward_dkv, over keys", "backward_dkv"))])
        text = self.works("explain", "strided")
        for word in ("attend", "block", "  order", "split", "  blocks  closed form", "ways weighed at n = 4,096"):
            self.assertIn(f"\n  {word}", text)

    def test_explain_backward(self):
        def explain(*arguments):
            return self.works("explain", "strided", "--op", "backward", *arguments)

        for stage, text in (("pattern", "attend:"), ("layout", "folded by columns"), ("plan", "strided_row_backward"),
                            ("sparsec", "sparsec.attention_backward"), ("tile", "tile.fold"), ("llvm", "define void @strided_row_backward_dq"),
                            ("asm", "strided_column_backward_dkv:")):
            self.assertIn(text, explain(f"--after={stage}", "--target=cpu"))
        # Each pass of each head is a section.
        sections = json.loads(explain("--after=tile", "--target=cpu", "--json"))["sections"]
        self.assertEqual([section["name"] for section in sections],
                         [f"strided_{head}_backward{pass_}" for head in ("row", "column") for pass_ in (", over queries", "_dkv, over keys")])
        self.assertEqual([section["text"].count("tile.kernel") for section in sections], [2, 1, 2, 1])
        text = explain("--target=cpu", "--block", "64x32")
        for line in ("  pass over queries", "  pass over keys", "    block   64x32: as asked for", "    split   not: one kernel",
                     "      order   natural", "      order   residue 128", "      blocks  closed form", "    ways weighed at n = 4,096"):
            self.assertIn(f"\n{line}", text)
        self.assertNotIn("residue", explain("--target=cpu", "--order=natural"))
        self.refuses(1, "error: --split: expected a union ('or') to be computed in parts, found none\n",
                     "explain", "strided", "--op", "backward", "--split", "always")

    def test_explain_decode_and_mass(self):
        def explain(*arguments):
            return self.works("explain", "strided", *arguments)

        for operation, stages in (("decode", (("layout", "blocks of 1x"), ("plan", "strided_row_decode     decode  row"), ("sparsec", "sparsec.attention_decode"),
                                              ("tile", "layout_row"), ("ptx", ".visible .entry strided_row_decode_merge"))),
                                  ("mass", (("layout", "order natural"), ("plan", "strided_row_mass"), ("sparsec", "sparsec.attention_mass"),
                                            ("tile", "tile.store_scalar"), ("ptx", ".visible .entry strided_row_mass")))):
            for stage, text in stages:
                self.assertIn(text, explain("--op", operation, f"--after={stage}"))
        self.assertIn("for each block of", explain("--op", "decode", "--after=plan", "--target=cpu-avx2"))
        text = explain("--op", "decode")
        for line in ("  block   1x16: the fastest", "  split   not: one kernel", "    order   q natural, k residue 128", "    blocks  closed form",
                     "  ways weighed at n = 4,096"):
            self.assertIn(f"\n{line}", text)
        self.assertTrue(text.endswith("\ndecode: every position once, each by launches of its own\n"), text)
        # Any number of queries at any place: their rows are those of all positions.
        self.assertEqual(explain("--op", "decode", "-n", 4096, "--nq", 3).replace(", nq = 3, q0 = 4,093", ""), explain("--op", "decode", "-n", 4096))
        text = explain("--op", "mass", "-n", 512, "--block", 32)
        self.assertIn("\n    blocks  a list of the live ones; 840 bytes in all\n", text)  # 70 of 12 bytes
        self.assertNotIn("residue", text)
        # A block list is natural, whatever the schedule of forward.
        self.assertNotIn("residue", explain("--op", "mass", "--order", "residue:8"))

    def test_each_pass_of_backward_has_a_way_of_its_own(self):
        merged = json.loads(self.works("explain", "strided-merged", "--op", "backward", "--target=cpu", "--after=plan", "--json"))
        text = merged["sections"][0]["text"]
        for row in (r"strided_merged_merged_backward_part1 +backward, queries .* residue 128 +1 of 2", r"backward_part2 +backward, queries .* natural +2 of 2",
                    r"backward_dkv_part1 +backward, keys .* residue 128 +1 of 2", r"backward_dkv_part2 +backward, keys .* natural +2 of 2"):
            self.assertRegex(text, row)
        tile = self.works("explain", "strided-merged", "--op", "backward", "--target=cpu", "--after=tile")
        self.assertEqual(tile.count("tile.kernel"), 5)  # delta once
        self.assertEqual(tile.count('"dq_sums"'), 2)

    def test_explain_takes_the_targets_of_a_compile(self):
        for operation in ("forward", "backward"):
            self.assertIn("ymm", self.works("explain", "local", "--op", operation, "--after=asm", "--target=cpu-avx2"))
            self.assertIn("zmm", self.works("explain", "local", "--op", operation, "--after=asm", "--target=cpu-avx512"))

    def test_colour(self):
        escape = "\x1b["
        self.assertIn(escape, self.terminal("show", "local", "--stats"))
        self.assertNotIn(escape, self.terminal("show", "local", "--stats", NO_COLOR="1"))
        self.assertNotIn(escape, self.terminal("show", "local", "--stats", TERM="dumb"))
        self.assertNotIn(escape, self.works("show", "local", "--stats"))

    def test_progress(self):
        """More than a second of work is announced on a terminal, and wiped when it is over."""
        self.assertRegex(self.terminal("verify", "strided", "--device=sim"), r"verifying  \d+ of \d+  \(\d+ s\)")
        self.assertNotIn("verifying", self.terminal("verify", "strided", "--device=sim", "-q"))


if __name__ == "__main__":
    unittest.main()
