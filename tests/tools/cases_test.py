"""Patterns that people of the field asked for or had trouble with elsewhere: what is right, by masks written from the
definitions and not from these files, and kernels held against the reference. Those that words of the language say in fewer
words are said twice, and are the same."""
import json
import pathlib
import unittest

from command import CommandTest

CASES = pathlib.Path(__file__).parent / "cases"

# File, flags, pairs that attend in each head of the model.
ELEMENTS = [
    ("window-inclusive", ("-n", 300), [30_272, 30_272, 30_444]),
    ("documents", ("-n", 1000), [40_150]),
    ("ds-fixed-horizontal", ("-n", 176, "--heads", 4), 4 * [20_224]),
    ("ds-fixed-horizontal", ("-n", 149, "--heads", 4), 3 * [14_521] + [16_633]),
    ("ds-variable", ("-n", 304), [41_216]),
    ("natten2d-rect", ("-n", 143), [143 * 7 * 5]),
    ("sta2d-text", ("-n", 997), [441_049]),
    ("block-diffusion", ("-n", 200), [11_552]),
    ("vertical-slash", ("-n", 257), [2_468, 2_471]),
    ("gqa-per-head", ("-n", 64, "--heads", 8), [sum(min(q + 1, 8 * (h + 1)) for q in range(64)) for h in range(8)]),
    ("openai-fixed-verts", ("-n", 400, "--heads", 4), 4 * [38_728]),
    ("shared-prefix", ("-n", 186), [9_810]),
    ("morton-natten", ("-n", 256), [6_400]),
    ("random-blocks", ("-n", 500, "--heads", 2), [27_458, 30_786]),
    ("vertical-slash-long", ("-n", 16_384), [1_863_404]),
]

# The same in the words on lists, neighbourhoods and predicates.
IN_WORDS = {
    "documents": """
params: {ends: [37, 101, 102, 231, 256, 300, 419, 420, 500, 577, 640, 701, 768, 800, 913]}
heads: [{attend: "causal and segment(q, ends) == segment(k, ends) and q < 960 and k < 960"}]""",
    "ds-variable": """
where: {part(t): "segment(t, [1, 3]) + max(t - 3, 0) // 4", global(t): "t in [0, 5, 6]"}
heads: [{attend: part(q // 16) == part(k // 16) or global(q // 16) or global(k // 16)}]""",
    "natten2d-rect": """
heads: [{attend: "moved(q // 11, k // 11, 7, 13) and moved(q % 11, k % 11, 5, 11)"}]""",
    "block-diffusion": """
where: {half: "max(n // 2, 1)", qb: q % half // 16, kb: k % half // 16, qn: q < half, kn: k < half}
heads: [{attend: "qb == kb and (qn == kn) or (qb > kb if qn else qb >= kb) and not kn"}]""",
    "vertical-slash": """
heads: [{attend: "causal and (k in [0, 5, 63, 130] or q - k in [0, 64, 100, 101, 102, 103, 104, 105, 106, 107])"},
        {attend: "causal and (k in [0, 1, 2, 3, 17, 18] or q - k in [0, 1, 2, 31])"}]""",
}


class Cases(CommandTest):
    def elements(self, *arguments):
        """Of each head of the model. What the case files say of `clamp` themselves is warned of, no more."""
        code, out, err = self.run_sparsec("show", *arguments, "--stats", "--json")
        self.assertEqual(code, 0, err)
        for line in err.splitlines():
            self.assertRegex(line, r"warning: '(clamp|segment)' is a word of the language too|^  ")
        found = {h: head["elements"] for head in json.loads(out)["heads"] for h in head["heads"]}
        return [found[h] for h in sorted(found)]

    def test_elements(self):
        for name, flags, elements in ELEMENTS:
            with self.subTest(case=name, flags=flags):
                self.assertEqual(self.elements(CASES / f"{name}.yaml", *flags), elements)

    def test_in_words(self):
        for name, flags, elements in ELEMENTS:
            if name in IN_WORDS:
                with self.subTest(case=name):
                    path = self.write(f"{name}.yaml", f"name: words{IN_WORDS[name]}\n")
                    self.assertEqual(self.elements(path, *flags), elements)

    def test_kernels(self):
        for name, n, device in (("ds-fixed-horizontal", 149, "cpu"), ("sta2d-text", 300, "cpu"), ("random-blocks", 200, "cpu"),
                                ("shared-prefix", 90, "cpu"), ("morton-natten", 256, "cpu"), ("openai-fixed-verts", 140, "sim")):
            with self.subTest(case=name, device=device):
                code, out, err = self.run_sparsec("verify", CASES / f"{name}.yaml", f"--device={device}", "--op", "forward", "-n", n, "--json")
                self.assertEqual((code, json.loads(out)["passed"]), (0, True), err)

    def test_more_queries_than_keys(self):
        """A two-sided window whose diagonal ends at the last key: the first rows have no key, and give 0."""
        path = CASES / "bottom-right-window.yaml"
        for n, nq, keyless in ((64, 129, 1), (40, 300, 196)):
            rows = [[k for k in range(n) if -64 <= q - k <= 32] for q in range(n - nq, n)]
            self.assertEqual(rows.count([]), keyless)
            self.assertEqual(self.elements(path, "-n", n, "--nq", nq), [sum(map(len, rows))])
            self.works("show", path, "-n", n, "--nq", nq, "--npy", "mask.npy", "-q")
            data = (self.folder / "mask.npy").read_bytes()[-nq * n:]
            self.assertEqual([[k for k in range(n) if data[i * n + k]] for i in range(nq)], rows)
            report = json.loads(self.works("verify", path, "--device=cpu", "-n", n, "--nq", nq, "--json"))
            self.assertTrue(report["passed"])
            self.assertEqual({(case["n"], case["nq"]) for case in report["cases"]}, {(n, nq)})

    def test_decoding(self):
        """Queries at the end of their keys, and anywhere: a window means the same."""
        keys = lambda q: sum(1 for k in range(100) if 0 <= q - k < 16)
        self.assertEqual(self.elements("local", "--param", "l=16", "-n", 100, "--nq", 1), [16])
        self.assertEqual(self.elements("local", "--param", "l=16", "-n", 100, "--nq", 5, "--q0", 2), [sum(keys(q) for q in range(2, 7))])
        self.assertEqual(self.elements("local", "--param", "l=16", "-n", 100, "--nq", 5, "--q0", -2), [sum(keys(q) for q in range(-2, 3))])
        self.works("local", "--param", "l=16", "-n", 100, "--nq", 5, "--q0", 2, "-q", "-o", "out")
        layout = json.loads((self.folder / "out/manifest.json").read_text())["layout"]
        self.assertEqual((layout["n"], layout["nq"], layout["q0"]), (100, 5, 2))

    def test_grouped_heads(self):
        report = json.loads(self.works("verify", CASES / "gqa-per-head.yaml", "--device=cpu", "--op", "forward", "-n", 64, "--heads", 8, "--kv-heads", 2, "--json"))
        self.assertTrue(report["passed"])


if __name__ == "__main__":
    unittest.main()
