"""What sparsec says to command lines that it cannot take: exit code 2, and what would be right."""
import json
import pathlib
import unittest

from command import CommandTest

COMPILE = "note: 'sparsec compile --help' lists what there is\n"


class Usage(CommandTest):
    def wrong(self, message, *arguments, note=COMPILE):
        self.refuses(2, f"error: {message}\n{note}", *arguments)

    def test_nothing(self):
        code, out, err = self.run_sparsec()
        self.assertEqual((code, out), (2, ""))
        self.assertEqual(err, self.works("--help"))
        self.assertTrue(err.startswith("usage: sparsec PATTERN [OPTION...]\n"))

    def test_version(self):
        self.assertRegex(self.works("--version"), r"^sparsec \d+\.\d+\.\d+ \(LLVM 22\.\d+\.\d+\)\n$")

    def test_help_of_every_command(self):
        for command in ("compile", "zoo", "show", "explain", "verify", "env"):
            self.assertTrue(self.works(command, "--help").startswith(f"usage: sparsec {command} "))

    def test_unknown_options(self):
        self.wrong("unknown option '--hedas'; did you mean '--heads'?", "strided", "--hedas", "3")
        self.wrong("unknown option '--head-dimension'; did you mean '--head-dim'?", "strided", "--head-dimension=64")
        self.wrong("unknown option '--frobnicate'", "strided", "--frobnicate")
        self.wrong("unknown option '-x'", "strided", "-x")
        self.wrong("unknown option '--stats'", "strided", "--stats")
        self.wrong("unexpected argument 'local'", "strided", "local")
        self.wrong("unexpected argument 'strided'", "env", "strided",
                   note="note: 'sparsec env --help' lists what there is\n")

    def test_misspelt_commands(self):
        note = "note: 'sparsec --help' lists what there is\n"
        for given, meant in (("shwo", "show"), ("verfy", "verify"), ("bnech", "bench"), ("compil", "compile")):
            self.wrong(f"there is no command '{given}'; did you mean '{meant}'?", given, "strided", note=note)
        self.wrong("there is no command and no pattern 'frobnicate'", "frobnicate", "strided", note=note)
        self.refuses(1, "error: there is no pattern 'frobnicate' in the zoo\nnote: 'sparsec zoo' lists it; a path has a '/' or ends in .yaml\n",
                     "frobnicate")

    def test_values_that_are_missing_or_too_many(self):
        self.wrong("-n: expected a value, found none", "strided", "-n")
        self.wrong("--out: expected a value, found none", "strided", "-o")
        self.wrong("-n: is given twice", "strided", "-n", "5", "-n", "6")

    def test_options_that_would_be_ignored(self):
        self.refuses(1, "error: --stats: counts, where --png draws: give one of them\n", "show", "strided", "--stats", "--png", "x.png")
        self.refuses(1, "error: --stats: counts, where --grid draws: give one of them\n", "show", "strided", "--stats", "--grid", "4x4")
        self.refuses(1, "error: --png: expected a name that ends in .png or .svg, found 'x.html'\n", "show", "strided", "--png", "x.html")
        self.refuses(1, "error: --nq: --grid shows positions that are queries and keys both\n", "show", "strided", "--nq", "3", "--grid", "4x4")

    def test_pages_and_schemas(self):
        root = pathlib.Path(__file__).resolve().parents[2]
        self.assertEqual(self.works("help", "language"), (root / "docs/language.md").read_text())
        self.assertEqual(self.works("help", "show"), self.works("show", "--help"))
        self.wrong("help: expected language, manifest, compile, zoo, show, explain, reach, compare, verify, bench, train, eval, sample, inspect, report, cache, import, "
                   "schema or env, found 'langage'; did you mean 'language'?", "help", "langage", note="note: 'sparsec --help' lists what there is\n")
        pattern = json.loads(self.works("schema", "pattern"))
        code, out, err = self.run_sparsec("show", "-", stdin="name: a\nheads: [{attend: causal}]\nnothing: 1\n")
        keys = err.split("its keys are ")[1].split(", ")
        self.assertEqual(set(pattern["properties"]), {key.strip() for key in keys} - {"score", "inputs"})
        config = json.loads(self.works("schema", "config"))
        self.assertEqual(set(config["required"]), {"name", "data", "model", "attention", "train"})
        self.assertEqual(config["properties"]["model"]["required"], ["length", "layers", "width", "heads"])
        self.wrong("expected pattern or config, found 'patern'; did you mean 'pattern'?", "schema", "patern",
                   note="note: 'sparsec schema --help' lists what there is\n")

    def test_completion(self):
        script = self.works("completion", "bash")
        self.write("complete.bash", script)
        done = self.run_tool("bash", "-c", "source complete.bash; COMP_WORDS=(sparsec show --st); COMP_CWORD=2; _sparsec; echo ${COMPREPLY[@]}; "
                             "COMP_WORDS=(sparsec strid); COMP_CWORD=1; _sparsec; echo ${COMPREPLY[@]}")
        self.assertEqual(done, "--stats\nstrided strided-interleaved strided-merged\n")
        self.assertTrue(self.works("completion", "zsh").startswith("autoload -Uz bashcompinit"))
        self.wrong("completion: expected bash or zsh, found 'fish'", "completion", "fish", note="note: 'sparsec --help' lists what there is\n")

    def test_patterns(self):
        self.wrong("PATTERN: missing: a path, a name of the zoo, - or -e EXPR", "-q")
        self.wrong("-e: PATTERN is 'strided' already", "strided", "-e", "causal")

    def test_numbers(self):
        self.wrong("-n: expected a whole number, found 'many'", "strided", "-n", "many")
        self.wrong("-n: expected a whole number, found '0x10'", "strided", "-n", "0x10")
        self.wrong("-n: expected a whole number, found '4.5'", "strided", "-n", "4.5")
        self.wrong("-n: expected a whole number, found ''", "strided", "-n", "")
        self.wrong("-n: expected 1 .. 2147483647, found 0", "strided", "-n", "0")
        self.wrong("-n: expected 1 .. 2147483647, found 2147483648", "strided", "-n", "2147483648")
        self.wrong("-n: expected 1 .. 2147483647, found 99999999999999999999", "strided", "-n", "9" * 20)
        self.wrong("--heads: expected 1 .. 65535, found -1", "strided", "--heads", "-1")
        self.wrong("--threads: expected 1 .. 4096, found 0", "strided", "--threads", "0")
        self.wrong("--block: expected auto, B or BQxBK, found '64x'", "strided", "--block", "64x")
        self.wrong("--block: expected auto, B or BQxBK, found '-16'", "strided", "--block=-16")

    def test_choices(self):
        self.wrong("--dtype: expected bf16, f16 or f32, found 'fp16'; did you mean 'f16'?",
                   "strided", "--dtype", "fp16")
        self.wrong("--target: expected sm_80, sm_86, sm_89, sm_90 or cpu, found 'sm80'; did you mean 'sm_80'?",
                   "strided", "--target", "sm80")
        self.wrong("--target: expected sm_80, sm_86, sm_89, sm_90 or cpu, found ''", "strided", "--target", "sm_80,")
        self.wrong("--target: sm_80 is given twice", "strided", "--target", "sm_80,sm_80")
        self.wrong("--op: expected forward, backward, decode or mass, found 'forwards'; did you mean 'forward'?", "strided", "--op", "forwards")
        self.wrong("--op: forward is given twice", "strided", "--op", "forward,forward")
        later = "expected a causal predicate, found a query that sees a later key: it is not there yet"
        self.refuses(1, f"error: decode: {later}\n", "-e", "q - k < 3", "--op", "decode")
        self.refuses(1, f"error: decode: {later}; --op forward does without\n", "-e", "q - k < 3", "--op", "forward,decode")
        # Heads that differ are known where they are used.
        self.refuses(1, f"error: decode: {later}\n", "-e", "causal or h == 1 and k == q + 1", "--op", "decode", "--heads", 2, "-n", 40)
        self.refuses(1, "error: decode: expected a predicate that mentions neither n nor nq: what a query sees may not change while its "
                     "sequence grows\n", "-e", "causal and 2 * (q - k) < n", "--op", "decode")
        self.wrong("--op: forward is given twice", "explain", "strided", "--op", "forward,forward",
                   note="note: 'sparsec explain --help' lists what there is\n")
        for target, wrong in (("sm80", "expected sm_80, sm_86, sm_89, sm_90 or cpu, found 'sm80'; did you mean 'sm_80'?"),
                              ("sm_90a", "'sm_90a' is not built yet; this version has sm_80, sm_86, sm_89, sm_90 and cpu")):
            self.wrong(f"--target: {wrong}", "explain", "strided", "--target", target,
                       note="note: 'sparsec explain --help' lists what there is\n")
        self.wrong("--order: expected auto, natural, residue:L, tails:L,C, grid:HxW/HxW or table:FILE, for one axis "
                   "q=... or k=..., found 'residu:8'; did you mean 'residue'?", "strided", "--order", "residu:8")
        self.wrong("--split: expected auto, always or never, found 'alway'; did you mean 'always'?",
                   "strided", "--split", "alway")
        self.wrong("--after: expected pattern, layout, plan, sparsec, tile, warp, llvm, ptx or asm, found 'tiles'; "
                   "did you mean 'tile'?", "explain", "strided", "--after=tiles",
                   note="note: 'sparsec explain --help' lists what there is\n")
        self.wrong("--device: expected cuda, cpu or sim, found 'gpu'; did you mean 'cpu'?", "verify", "strided", "--device=gpu",
                   note="note: 'sparsec verify --help' lists what there is\n")

    def test_what_is_not_built_yet(self):
        self.wrong("--target: 'sm_90a' is not built yet; this version has sm_80, sm_86, sm_89, sm_90 and cpu",
                   "strided", "--target", "sm_80,sm_90a")

    def test_options_may_stand_before_the_command(self):
        self.assertEqual(self.works("--json", "--threads", "1", "zoo"), self.works("zoo", "--json"))


if __name__ == "__main__":
    unittest.main()
