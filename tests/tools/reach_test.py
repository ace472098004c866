"""sparsec reach: the answer as text, as JSON and as an exit code."""
import json
import unittest

from command import CommandTest

FIXED = """\
name: two-step
params: {l: 8, c: 2}
heads:
  - {name: block, attend: causal and same(l)}
  - {name: tails, attend: "causal and tail(l, c)"}
layers: [block, tails]
"""


class Reach(CommandTest):
    def ask(self, *arguments):
        return json.loads(self.works("reach", *arguments, "--json"))

    def test_yes(self):
        self.assertEqual(self.works("reach", "strided", "-n", "1000", "--param", "l=32"), """\
strided, n = 1,000, 2 layers, with the residual path

layer  heads        positions without keys
    1  row, column                       0
    2  row, column                       0

yes: every position reaches every earlier one
""")

    def test_no(self):
        self.assertEqual(self.works("reach", "-e", "causal and local(4)", "-n", "8", "--layers", "1"), """\
pattern, n = 8, 1 layer, with the residual path

layer  heads  positions without keys
    1  head0                       0

no: 10 of 36 pairs of a position and an earlier one (27.8 %) have no path
first: position 0 does not reach position 4
""")

    def test_layers_of_the_file_and_the_residual_path(self):
        path = self.write("two-step.yaml", FIXED)
        report = self.ask(path, "-n", "96")
        self.assertEqual(list(report), ["pattern", "n", "layers", "residual", "smallest", "complete", "pairs", "unreachable",
                                        "fraction_unreachable", "first"])
        self.assertEqual(report["layers"], [{"heads": ["block"], "positions_without_keys": 0},
                                            {"heads": ["tails"], "positions_without_keys": 6}])
        self.assertEqual((report["complete"], report["unreachable"], report["first"]), (True, 0, None))
        without = self.ask(path, "-n", "96", "--no-residual")
        self.assertEqual((without["complete"], without["residual"], without["first"]),
                         (False, False, {"from": 0, "to": 0}))
        self.assertEqual(without["fraction_unreachable"], without["unreachable"] / (96 * 97 // 2))

    def test_heads_have_summaries_of_their_own(self):
        self.assertFalse(self.ask("fixed-heads", "-n", "512", "--layers", "1", "--heads", "3")["complete"])
        self.assertTrue(self.ask("fixed-heads", "-n", "512", "--layers", "1", "--heads", "4")["complete"])

    def test_require(self):
        for arguments, code in ((["--layers", "2"], 1), (["--layers", "3"], 0)):
            found = self.run_sparsec("reach", "-e", "local(4)", "-n", "10", "--require", *arguments)
            self.assertEqual((found[0], found[2]), (code, ""))

    def test_the_bar(self):
        """65,536 positions, two layers, in a fraction of its minute."""
        self.assertTrue(self.ask("strided", "-n", "65536", "--param", "l=256", "--no-residual")["complete"])


if __name__ == "__main__":
    unittest.main()
