"""What sparsec says to command lines that it cannot take: exit code 2, and what would be right."""
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
        self.wrong("--op: expected forward or backward, found 'forwards'; did you mean 'forward'?", "strided", "--op", "forwards")
        self.wrong("--op: forward is given twice", "strided", "--op", "forward,forward")
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
        self.wrong("--op: 'decode' is not built yet; this version has forward and backward", "strided", "--op", "forward,decode")
        self.wrong("--op: 'decode' is not built yet; this version has forward and backward", "explain", "strided", "--op", "decode",
                   note="note: 'sparsec explain --help' lists what there is\n")

    def test_options_may_stand_before_the_command(self):
        self.assertEqual(self.works("--json", "--threads", "1", "zoo"), self.works("zoo", "--json"))


if __name__ == "__main__":
    unittest.main()
