"""docs/json.md names every key that a command prints with --json, and no other."""
import json
import pathlib
import re
import unittest

from command import CommandTest

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/json.md"

MANY = """name: many
heads:
  - {name: near, attend: local(8)}
  - {name: far, attend: "causal and (q - k) % 8 == 0", schedule: {split: never}}
layers: [near, far, [near, far]]
"""
TINY = """name: tiny
data: {kind: bytes, valid: 0.1, test: 0.1}
model: {length: 64, layers: 1, width: 32, heads: 2, ff_ratio: 2, positions: {row: t // 8, column: t % 8}}
attention: {pattern: fixed, params: {l: 8, c: 2}}
train: {steps: 4, batch_size: 2, learning_rate: 0.01, warmup_steps: 2}
every: {log: 2, valid: 4, checkpoint: 4}
valid: {tokens: 64, min_context: 32}
"""
CPU = ("--device", "cpu")

# Of each command the runs that show its keys between them; what begins with ./ is written by setUp.
RUNS = {
    "compile": [("strided", "-n", 256, "-o", "a"), ("./many.yaml", "-n", 256, "-o", "b", "--op", "forward,backward,decode,mass"),
                ("strided", "-n", 256, "-o", "a", "--op", "forward,decode,mass")],
    "show": [("show", "strided", "-n", 64), ("show", "./many.yaml", "-n", 64)],
    "show A B": [("show", "strided", "./many.yaml", "-n", 64), ("show", "strided", "./many.yaml", "--stats", "-n", 64)],
    "show --stats": [("show", "strided", "-n", 64, "--stats"), ("show", "./many.yaml", "-n", 64, "--stats")],
    "show --grid": [("show", "strided", "--grid", "4x4", "--query", 9), ("show", "./many.yaml", "--grid", "4x4", "--query", 9)],
    "show --grid --layers": [("show", "strided", "--grid", "4x4", "--query", 9, "--layers", 2)],
    "show --layers": [("show", "strided", "-n", 64, "--layers", 2)],
    "show --png": [("show", "strided", "-n", 64, "--png", "a.png")],
    "show --npy": [("show", "strided", "-n", 64, "--npy", "a.npy")],
    "explain": [("explain", "strided", "-n", 64), ("explain", "strided", "--after", "plan"), ("explain", "strided", "--op", "backward"),
                ("explain", "strided", "--op", "decode,mass")],
    "reach": [("reach", "strided", "-n", 64), ("reach", "local", "-n", 600, "--layers", 1)],
    "compare": [("compare", "strided", "local", "-n", 256), ("compare", "./many.yaml", "-n", 256, "--layers", 1)],
    "compare RUN RUN": [("compare", "run", "other")],
    "verify": [("verify", "local", *CPU, "-n", 16, "--op", "forward,backward"), ("verify", "./many.yaml", *CPU, "-n", 16, "--op", "forward"),
               ("verify", "--op", "layer_norm,matmul,sample,adam,embedding,elementwise,cross_entropy", *CPU, "--rows", 3, "--columns", 16)],
    "bench": [("bench", "local", *CPU, "-n", "64,128", "--param", "l=8,16", "--samples", 3), ("bench", "./many.yaml", *CPU, "-n", 64, "--samples", 3)],
    "train --dry-run": [("train", "./tiny.yaml", "--dry-run")],
    "train": [("train", "./tiny.yaml", "--data", "text", "--out", "third", *CPU)],
    "eval": [("eval", "run", *CPU)],
    "sample": [("sample", "run", "--length", 3, *CPU)],
    "train --times": [("train", "./tiny.yaml", "--times", *CPU)],
    "inspect": [("inspect", "run", "--inside", "causal", *CPU)],
    "inspect --propose": [("inspect", "run", "--propose", "--out", "proposed.yaml", "--mass", "0.5", *CPU)],
    "report": [("report", "run", "--samples", 1, "--length", 3, *CPU)],
    "zoo": [("zoo",)],
    "zoo NAME": [("zoo", "strided")],
    "env": [("env",)],
    "cache ls": [("cache", "ls")],
    "cache clear": [("cache", "clear")],
    "cache path": [("cache", "path")],
}


# Keys that no run here shows.
UNSEEN = {
    "verify": {"cases[].detail"},  # kernels are right
}


def keys(value, path=""):
    """Paths of all keys below a value: heads[].blocks.live"""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            yield here
            yield from keys(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, path + "[]")


class Grammar:
    """`{a, b?: {c}, d: [NAME], e: {*}}` as the paths of its keys; NAMEs are in `named`."""
    TOKEN = re.compile(r"\s*([{}\[\]:,*?]|\w+)")

    def __init__(self, named):
        self.named = named

    def paths(self, text, path=""):
        self.tokens = self.TOKEN.findall(text)
        assert "".join(self.tokens) == re.sub(r"\s+", "", text), text
        found = list(self.value(path))
        assert not self.tokens, f"{text}: {self.tokens} is left"
        return found

    def take(self, token):
        assert self.tokens[0] == token, f"expected {token}, found {self.tokens}"
        self.tokens.pop(0)

    def value(self, path):
        first = self.tokens.pop(0)
        if first == "[":
            yield from self.value(path + "[]")
            self.take("]")
        elif first != "{":
            yield from Grammar(self.named).paths(self.named[first], path)
        elif self.tokens[0] == "*":  # any keys
            yield f"{path}.*"
            self.take("*")
            self.take("}")
        else:
            yield from self.members(path)

    def members(self, path):
        while True:
            here = f"{path}.{self.tokens.pop(0)}" if path else self.tokens.pop(0)
            yield here
            if self.tokens[0] == "?":
                self.take("?")
            if self.tokens[0] == ":":
                self.take(":")
                yield from self.value(here)
            if self.tokens.pop(0) == "}":
                return


def documented():
    """Of each command of the document the paths of its keys."""
    blocks = re.findall(r"(?:^    .*\n)+", DOCUMENT.read_text(), re.MULTILINE)
    entries = re.findall(r"^    (\w[\w -]*):\s+(\{.*(?:\n {8,}.*)*)", "".join(blocks), re.MULTILINE)
    named = {name: text for name, text in entries if name.isupper()}
    named["EACH"] = "{" + ", ".join(named[name].strip()[1:-1] for name in ("DRAWN", "HEAD")) + "}"
    return {name: set(Grammar(named).paths(text)) for name, text in entries if not name.isupper()}


def matches(path, pattern):
    return re.fullmatch(re.escape(pattern).replace(r"\*", r"[^.\[\]]+"), path)


class Json(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("many.yaml", MANY)
        self.write("tiny.yaml", TINY)
        self.write("text", "the cat sat on the mat. " * 200)
        self.home = {"XDG_CACHE_HOME": str(self.folder / "cache")}
        self.write("other.yaml", TINY.replace("0.01", "0.02"))
        for config, out in (("tiny", "run"), ("other", "other")):
            code, _, err = self.run_sparsec("train", f"./{config}.yaml", "--data", "text", "--out", out, *CPU, "-q")
            self.assertEqual((code, err), (0, ""))

    def found(self, runs):
        paths = set()
        for run in runs:
            code, out, err = self.run_sparsec(*run, "--json", environment=self.home)
            self.assertEqual(code, 0, f"{run}: {err}")
            paths.update(keys(json.loads(out)))
        return paths

    def test_each_key_is_documented_and_each_documented_key_is_there(self):
        documents = documented()
        self.assertEqual(set(documents), set(RUNS))
        for name, runs in RUNS.items():
            with self.subTest(command=name):
                found = self.found(runs)
                known = documents[name]
                self.assertEqual({path for path in found if not any(matches(path, each) for each in known)}, set(), "not documented")
                self.assertEqual({each for each in known if not any(matches(path, each) for path in found)}, UNSEEN.get(name, set()),
                                 "documented, and not there")


class TestOfGrammar(unittest.TestCase):
    def test_the_grammar(self):
        grammar = Grammar({"X": "{a, b: [{c}]}"})
        self.assertEqual(grammar.paths("{x: X, y?: {*}, z: [X], w}"),
                         ["x", "x.a", "x.b", "x.b[].c", "y", "y.*", "z", "z[].a", "z[].b", "z[].b[].c", "w"])
        self.assertTrue(matches("params.width", "params.*") and not matches("params.a.b", "params.*"))
        self.assertEqual(list(keys({"a": [{"b": 1}, {"c": {}}]})), ["a", "a[].b", "a[].c"])


if __name__ == "__main__":
    unittest.main()
