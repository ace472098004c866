"""schedule: in files and as flags: what is read from where, and what is refused."""
import json
import unittest

from command import CommandTest

PATTERN = """\
name: mine
params: {l: 8}
heads:
  - {attend: causal and every(l), schedule: {order: {q: natural, k: {table: turned.txt}}}}
"""


class Schedules(CommandTest):
    def test_a_table_stands_beside_its_pattern(self):
        (self.folder / "sub").mkdir()
        path = self.write("sub/mine.yaml", PATTERN)
        self.write("sub/turned.txt", "3 2 1 0\n")
        self.works("show", path, "-n", "4")
        self.works("show", "sub/mine.yaml", "-n", "4")
        (self.folder / "sub/turned.txt").unlink()
        self.refuses(1, """\
sub/mine.yaml:4:77: error: sub/turned.txt: cannot be opened: No such file or directory
    - {attend: causal and every(l), schedule: {order: {q: natural, k: {table: turned.txt}}}}
                                                                              ^~~~~~~~~~
""", "show", "sub/mine.yaml")

    def test_no_permutation(self):
        self.write("mine.yaml", PATTERN)
        self.write("turned.txt", "3 2\n1 3\n")
        self.refuses(1, """\
./turned.txt:2:3: error: expected each position of 0 .. 3 once, found 3 at places 0 and 3
  1 3
    ^
""", "show", "./mine.yaml")

    def test_flags(self):
        self.works("strided", "--param", "l=8", "--order", "residue:l", "-o", "out")
        kernels = json.loads((self.folder / "out" / "manifest.json").read_text())["kernels"]
        self.assertEqual([(k["query_order"], k["key_order"]) for k in kernels], 8 * [("residue 8", "residue 8")])
        self.works("strided-merged", "--split", "always", "-o", "out")
        manifest = json.loads((self.folder / "out" / "manifest.json").read_text())
        self.assertEqual(manifest["pattern_heads"][0]["kernels"], {"sm_80": {"forward": [0, 1], "backward": [2, 3, 4, 5, 6]}})
        self.assertEqual([(k["pass"], k["part"], k["parts"], k["reads_prior"], k.get("out_dtype")) for k in manifest["kernels"]],
                         [("", 0, 2, False, "f32"), ("", 1, 2, True, "bf16"),
                          ("queries", 0, 2, False, None), ("queries", 0, 2, False, None), ("queries", 1, 2, True, None),
                          ("keys", 0, 2, False, None), ("keys", 1, 2, False, None)])
        self.assertEqual([k["entry"] for k in manifest["kernels"]],
                         [f"strided_merged_merged_{rest}" for rest in
                          ("forward_part1", "forward_part2", "backward_part1_delta", "backward_part1_dq", "backward_part2_dq",
                           "backward_dkv_part1", "backward_dkv_part2")])
        self.refuses(1, """\
error: --split: expected a union ('or') to be computed in parts, found none
""", "causal", "--split", "always")
        self.write("whole.yaml", "name: whole\nheads: [{attend: causal, schedule: {split: always}}]\n")
        self.refuses(1, """\
./whole.yaml:2:44: error: split: expected a union ('or') to be computed in parts, found none
  heads: [{attend: causal, schedule: {split: always}}]
                                             ^~~~~~
""", "./whole.yaml")
        self.write("turned.txt", "3 2 1 0\n")
        self.write("mine.yaml", PATTERN)
        self.refuses(1, """\
./mine.yaml:4:53: error: expected an order of 9 tokens, found 4 in table 'turned.txt'
    - {attend: causal and every(l), schedule: {order: {q: natural, k: {table: turned.txt}}}}
                                                      ^
""", "./mine.yaml", "-n", "9")
        self.works("verify", "./mine.yaml", "--device=cpu")  # at the table's length
        self.works("show", "./mine.yaml")
        self.works("explain", "./mine.yaml")
        self.works("./mine.yaml", "-o", "mine")
        self.assertEqual(json.loads((self.folder / "mine" / "manifest.json").read_text())["layout"]["n"], 4)
        self.refuses(1, """\
--order:1:7: error: expected a size, a decimal integer or a parameter's name, found 'm'
  tails:m,2
        ^
""", "show", "strided", "--order", "tails:m,2")


if __name__ == "__main__":
    unittest.main()
