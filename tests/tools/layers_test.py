"""layers: in every command: which heads use which entries in which layer, held against reach and against masks."""
import array
import json
import random
import struct
import unittest

from command import CommandTest
from launch import HostKernels, attention

WINDOW_FULL = """\
name: window_full
params: {w: 3}
heads:
  - {name: swa, attend: local(w * (h + 1))}
  - {name: full, attend: causal}
layers: [swa, full]
"""
NESTED = """\
name: nested
heads:
  - {name: a, attend: local(h + 2)}
  - {name: b, attend: causal and every(5)}
  - {name: c, attend: "causal and tail(7, 1 + h % 3)"}
layers: [[a, b, a], c, [b, a], [c, c], b]
"""


class Layers(CommandTest):
    def setUp(self):
        super().setUp()
        self.window_full = self.write("window_full.yaml", WINDOW_FULL)
        self.nested = self.write("nested.yaml", NESTED)

    def json(self, *arguments):
        return json.loads(self.works(*arguments, "--json"))

    def manifest(self, *arguments):
        self.works(*arguments, "-q", "-o", "out")
        return json.loads((self.folder / "out/manifest.json").read_text())

    def uses(self, manifest, layer):
        """The predicate of each head of the model in a layer of it, by the manifest: each head has one."""
        [section] = [each for each in manifest["layers"] if layer % manifest["layer_count"] in each["indices"]]
        attend = {}
        for use in section["heads"]:
            for i in range(use["head_count"]):
                h = use["head_first"] + i * use["head_step"]
                self.assertNotIn(h, attend)
                attend[h] = manifest["pattern_heads"][use["pattern_head"]]["attend"]
        self.assertEqual(sorted(attend), list(range(manifest["heads"])))
        return attend

    def seen(self, attend, n):
        """Which keys some head sees, for each query."""
        code = {h: compile(text, text, "eval") for h, text in attend.items()}
        return [{k for k in range(n) if any(eval(each, {"q": q, "k": k, "h": h, "n": n}) for h, each in code.items())}
                for q in range(n)]

    def test_the_manifest_says_what_reach_says(self):
        n = 40
        for pattern, *arguments in ((self.window_full, "--heads", 4), ("strided-interleaved", "--param", "l=6"),
                                    (self.nested, "--heads", 5), (self.nested, "--heads", 2),
                                    ("strided", "--param", "l=6", "--heads", 3)):
            manifest = self.manifest(pattern, *arguments)
            for residual in (True, False):
                known = [{i} for i in range(n)]
                keyless = []
                for layers in range(1, 7):
                    seen = self.seen(self.uses(manifest, layers - 1), n)
                    keyless.append(seen.count(set()))
                    known = [set().union(known[q] if residual else set(), *(known[k] for k in seen[q])) for q in range(n)]
                    missing = [(to, start) for to in range(n) for start in range(to + 1) if start not in known[to]]
                    with self.subTest(pattern=pattern, arguments=arguments, residual=residual, layers=layers):
                        report = self.json("reach", pattern, *arguments, "-n", n, "--layers", layers,
                                           *([] if residual else ["--no-residual"]))
                        self.assertEqual([each["positions_without_keys"] for each in report["layers"]], keyless)
                        self.assertEqual(report["unreachable"], len(missing))
                        self.assertEqual(report["first"], {"from": missing[0][1], "to": missing[0][0]} if missing else None)

    def test_equal_layers_are_one(self):
        manifest = self.manifest(self.nested, "--heads", 4)
        self.assertEqual(manifest["layer_count"], 5)
        self.assertEqual([each["indices"] for each in manifest["layers"]], [[0], [1, 3], [2], [4]])
        self.assertEqual(manifest["layers"][0]["heads"],
                         [{"pattern_head": 0, "head_first": 0, "head_step": 3, "head_count": 2},
                          {"pattern_head": 1, "head_first": 1, "head_step": 3, "head_count": 1},
                          {"pattern_head": 0, "head_first": 2, "head_step": 3, "head_count": 1}])
        # No head of the model uses an entry in all layers.
        self.assertEqual([list(head) for head in manifest["pattern_heads"]], 3 * [["name", "attend", "kernels"]])

    def test_one_layer_where_the_file_has_none(self):
        manifest = self.manifest("strided", "--heads", 3)
        self.assertEqual((manifest["layer_count"], [each["indices"] for each in manifest["layers"]]), (1, [[0]]))
        for head, use in zip(manifest["pattern_heads"], manifest["layers"][0]["heads"]):
            self.assertEqual({key: head[key] for key in ("head_first", "head_step", "head_count")},
                             {key: use[key] for key in ("head_first", "head_step", "head_count")})

    def numbers(self, launch):
        """What a launch needs, with the arrays of its files."""
        return {key: struct.unpack(f"<{len(data) // 4}i", data) if (data := self.data(value)) is not None else value
                for key, value in launch.items() if key not in ("layer", "kernel")}

    def data(self, name):
        return (self.folder / "out" / name).read_bytes() if isinstance(name, str) else None

    def test_launches_of_a_layer_are_those_of_that_layer_alone(self):
        arguments = (self.nested, "--heads", 5, "-n", 300)
        manifest = self.manifest(*arguments)
        launches = [dict(self.numbers(launch), layer=launch["layer"], operation=manifest["kernels"][launch["kernel"]]["operation"])
                    for launch in manifest["layout"]["launches"]]
        files = {value for launch in manifest["layout"]["launches"] for value in launch.values() if isinstance(value, str)}
        for position, layer in enumerate(manifest["layers"]):
            own = [{key: launch[key] for key in launch if key not in ("layer", "operation")} for launch in launches if launch["layer"] == position]
            forward = [launch for launch in launches if launch["layer"] == position and launch["operation"] == "forward"]
            self.assertEqual([(each["pattern_head"], each["head_first"]) for each in forward],
                             sorted((use["pattern_head"], use["head_first"]) for use in layer["heads"]))
            for index in layer["indices"]:
                alone = self.manifest(*arguments, "--layer", index)
                self.assertEqual(alone["layers"], [layer])
                self.assertEqual([self.numbers(launch) for launch in alone["layout"]["launches"]], own)
        # a's blocks differ by head, so each of its three sets of heads has arrays of its own; those of b are all layers'.
        self.assertEqual(len({file for file in files if file.startswith("a.forward.") and "row_forms" in file}), 3)
        self.assertEqual(sum(file.startswith("b.forward.") and "row_forms" in file for file in files), 1)

    def test_a_host_program_that_follows_the_manifest(self):
        """Every layer of a model, launched as the manifest says, against attention of each head written down."""
        n, dim, heads = 70, 16, 4
        self.works(self.nested, "--target", "cpu", "--heads", heads, "--head-dim", dim, "-n", n, "-q", "-o", "out")
        kernels = HostKernels(self.folder / "out")
        numbers = random.Random(2)
        size = n * dim
        q, k, v = (array.array("f", (numbers.gauss(0, 1) for _ in range(heads * size))) for _ in range(3))
        a, b = lambda h, i, j: 0 <= i - j < h + 2, lambda h, i, j: j <= i and (i - j) % 5 == 0
        c = lambda h, i, j: j <= i and j % 7 >= 6 - h % 3
        for layer, entries in enumerate(([a, b, a, a], 4 * [c], [b, a, b, a], 4 * [c], 4 * [b], [a, b, a, a])):
            found = kernels.run(layer, q, k, v)
            for h, sees in enumerate(entries):
                own = slice(h * size, (h + 1) * size)
                exact = attention(q[own], k[own], v[own], n, dim, lambda i: [j for j in range(n) if sees(h, i, j)])
                for i, row in enumerate(exact):
                    for d in range(dim):
                        self.assertAlmostEqual(found[h * size + i * dim + d], row[d], delta=1e-5, msg=(layer, h, i, d))

    def test_the_case_of_a_window_and_full_layers(self):
        """Windows of 8 16 24 32 keys in layer 0, all earlier keys in every head of layer 1."""
        windows = [sum(min(q + 1, w) for q in range(256)) for w in (8, 16, 24, 32)]
        arguments = (self.window_full, "--param", "w=8", "--heads", 4, "-n", 256)
        first, second = self.json("show", *arguments, "--stats")["layers"]
        self.assertEqual((first["indices"], [each["elements"] for each in first["heads"]]), ([0], windows))
        self.assertEqual((second["indices"], [(each["heads"], each["elements"]) for each in second["heads"]]),
                         ([1], [([0, 1, 2, 3], 256 * 257 // 2)]))
        rows = self.json("compare", *arguments, "strided")["patterns"]
        self.assertEqual([(row["pattern"], row.get("layers"), row["heads"]) for row in rows],
                         [("window_full", [0], 4), ("window_full", [1], 4), ("strided", None, 4)])
        self.assertEqual([row["elements"] for row in rows[:2]], [19_560, 131_584])
        for layer, elements in ((0, 19_560), (1, 131_584), (2, 19_560)):
            [row] = self.json("compare", *arguments, "--layer", layer)["patterns"]
            self.assertEqual((row["elements"], row["reach_complete"], "layers" in row), (elements, True, False))
            heads = self.json("show", *arguments, "--stats", "--layer", layer)["heads"]
            self.assertEqual(sum(each["elements"] * len(each["heads"]) for each in heads), elements)
        self.assertEqual(self.json("reach", *arguments, "--layers", 1)["unreachable"], 25_200)
        report = self.json(*arguments, "-o", "out")
        self.assertEqual(list(report), ["pattern", "out", "n", "layers", "files", "seconds"])
        self.assertEqual([[each["elements"] for each in layer["heads"]] for layer in report["layers"]], [windows, [32_896]])

    def test_what_show_draws(self):
        text = self.works("show", "strided-interleaved", "--param", "l=4", "--grid", "4x4")
        self.assertEqual(text, """\
strided-interleaved, n = 16

layer 0 of 4

. . 1 .
. . 1 .
. . Q .
. . . .
Q the query; 1 column

layers 1 2 3 of 4

. . . .
. . . 1
1 1 Q .
. . . .
Q the query; 1 row
""")
        section = text.split("layers 1 2 3 of 4\n")[1]
        self.assertEqual(self.works("show", "strided-interleaved", "--param", "l=4", "--grid", "4x4", "--layer", "3"),
                         "strided-interleaved, n = 16\n" + section)
        layers = self.json("show", "strided-interleaved", "--param", "l=2", "-n", 4)["layers"]
        self.assertEqual([(each["indices"], [head["pairs"] for head in each["heads"]]) for each in layers],
                         [([0], ["# . . .\n. # . .\n# . # .\n. # . #\n"]),
                          ([1, 2, 3], ["# . . .\n# # . .\n. # # .\n. . # #\n"])])
        for grid in ([], ["--grid", "4x4"]):
            self.works("show", "strided-interleaved", "--param", "l=4", "-n", 16, *grid, "--png", "layers.png")
        self.refuses(1, "error: --layer: --layers shows what all layers let a position know\n",
                     "show", "local", "--layers", "2", "--layer", "1")

    def test_explain(self):
        names = [each["name"] for each in self.json("explain", self.window_full, "--heads", 2, "--after=layout")["sections"]]
        self.assertEqual(names, ["layer 0 of 2: swa h=0", "layer 0 of 2: swa h=1", "layer 1 of 2: full"])
        text = self.works("explain", self.window_full, "--layer", "1")
        self.assertIn("window_full_full_forward", text)
        self.assertNotIn("window_full_swa_forward", text)

    def test_kernels_are_right_in_every_layer(self):
        report = self.json("verify", self.nested, "--device=cpu", "-n", 90, "--heads", 4)
        self.assertTrue(report["passed"])
        self.assertEqual([(case["layers"], case["head"]) for case in report["cases"]
                          if (case["operation"], case["output"]) == ("forward", "out")
                          and case["case"].endswith(", BHSD")],
                         [([0], "a"), ([0], "b"), ([0], "a"), ([1, 3], "c"), ([2], "b"), ([2], "a"), ([4], "b")])
        report = self.json("verify", self.window_full, "--device=sim", "-n", 70, "--heads", 2, "--layer", 1)
        self.assertEqual([(case["head"], case["passed"], "layers" in case) for case in report["cases"]],
                         34 * [("full", True, False)])

    def test_each_layer_is_timed(self):
        arguments = ("bench", self.window_full, "--device=cpu", "--heads", 4, "-n", 256, "--samples", 3)
        rows = [row for row in self.json(*arguments, "--baselines", "none")["rows"] if row["kind"] == "kernel"]
        self.assertEqual([row["layers"] for row in rows], [[0], [1]])
        for row, pairs in zip(rows, (sum(min(q + 1, 3 * (h + 1)) for q in range(256) for h in range(4)), 131_584)):
            self.assertAlmostEqual(row["gflops_live"] * row["median_ms"] * 1e6, 4 * 64 * pairs, delta=1)
        rows = self.json(*arguments, "--layer", 1)["rows"]
        self.assertEqual([row["pattern"] for row in rows if row["kind"] == "kernel"], ["dense", "window_full"])

    def test_the_header(self):
        """The constants of every layer, as C and C++ see them."""
        self.works(self.nested, "--target", "cpu", "--block", 32, "--heads", 4, "-n", 100, "-q", "-o", "out")
        checks = {"NESTED_LAYERS": 5, "NESTED_LAYER0_A_HEAD_FIRST": 0, "NESTED_LAYER0_A_HEAD_STEP": 3,
                  "NESTED_LAYER0_A_HEAD_COUNT": 2, "NESTED_LAYER0_B_HEAD_COUNT": 1, "NESTED_LAYER1_C_HEAD_COUNT": 4,
                  "NESTED_LAYER2_A_HEAD_FIRST": 1, "NESTED_LAYER4_B_HEAD_STEP": 1,
                  "NESTED_A_FORWARD_CPU_LAYER0_QUERY_TILES": 4, "NESTED_C_FORWARD_CPU_LAYER1_QUERY_TILES": 4,
                  "NESTED_A_FORWARD_CPU_LAYER0_HEAD2_QUERY_TILES": 4}
        text = '#include "out/nested.h"\n' + "".join(f"CHECK({name} == {value});\n" for name, value in checks.items())
        text += "static const int same[NESTED_LAYERS] = NESTED_LAYER_SAME_AS;\nint main(void) { return same[3] - 1; }\n"
        for language, standard, check in (("c", "c11", "_Static_assert"), ("c++", "c++20", "static_assert")):
            self.write("use", f"#define CHECK(x) {check}(x, #x)\n{text}")
            self.run_tool("g++" if language == "c++" else "gcc", "-x", language, f"-std={standard}", "-Wall", "-Wextra",
                          "-pedantic-errors", "-Werror", "-o", "same", "use")
            self.run_tool("./same")

    def test_an_entry_that_no_layer_has(self):
        path = self.write("spare.yaml", "name: spare\nheads:\n  - {name: used, attend: causal}\n"
                                        "  - {name: spare, attend: local(3)}\nlayers: [used]\n")
        warning = "warning: no layer has head 'spare': nothing is made of it\n"
        self.assertEqual(self.run_sparsec(path, "-q", "-o", "out"), (0, "", warning))
        manifest = json.loads((self.folder / "out/manifest.json").read_text())
        self.assertEqual([(each["name"], each["kernels"]) for each in manifest["pattern_heads"]],
                         [("used", {"sm_80": {"forward": [0], "backward": [1, 2, 3]}}), ("spare", {})])
        self.assertEqual([kernel["entry"] for kernel in manifest["kernels"]], [f"spare_used_{kernel}" for kernel in ("forward", "backward_delta", "backward_dq", "backward_dkv")])
        code, out, err = self.run_sparsec("compare", path, "local", "--param", "l=8", "-n", 64, "--json")
        self.assertEqual((code, err), (0, warning))

    def test_usage(self):
        for command in ("compile", "show", "explain", "compare", "verify", "bench"):
            self.refuses(2, f"error: --layer: expected 0 .. 2147483647, found -1\n"
                            f"note: 'sparsec {command} --help' lists what there is\n",
                         command, self.window_full, "--layer", "-1")
        self.refuses(2, "error: unknown option '--layer'; did you mean '--layers'?\n"
                        "note: 'sparsec reach --help' lists what there is\n", "reach", self.window_full, "--layer", "1")


if __name__ == "__main__":
    unittest.main()
