"""What sparsec says to patterns that it cannot read or compile: exit code 1 and where."""
import os
import subprocess
import unittest

from command import ENVIRONMENT, SPARSEC, CommandTest


class Input(CommandTest):
    def wrong(self, err, *arguments, **options):
        self.refuses(1, err, *arguments, **options)

    def test_names(self):
        zoo = "note: 'sparsec zoo' lists it; a path has a '/' or ends in .yaml\n"
        self.wrong("error: there is no pattern 'strdied' in the zoo; did you mean 'strided'?\n" + zoo, "strdied")
        self.wrong("error: there is no pattern 'nothing-like-it' in the zoo\n" + zoo, "show", "nothing-like-it")
        self.wrong("error: there is no pattern 'strdied' in the zoo; did you mean 'strided'?\n", "zoo", "strdied")
        self.write("mine", "name: mine\nheads: [{attend: causal}]\n")
        self.wrong("error: there is no pattern 'mine' in the zoo\nnote: for the file of that name, say ./mine\n", "mine")

    def test_files(self):
        self.wrong("error: ./x.yaml: cannot be opened: No such file or directory\n", "./x.yaml")
        self.write("file", "")
        self.wrong("error: file/x.yaml: cannot be opened: Not a directory\n", "file/x.yaml")
        os.mkdir(self.folder / "folder.yaml")
        self.wrong("error: folder.yaml: is a directory, not a pattern file\n", "folder.yaml")
        self.wrong("error: /dev/zero: larger than 256 KiB: not a pattern file\n", "/dev/zero")
        self.wrong("error: /proc/self/mem: cannot be read: Input/output error\n", "/proc/self/mem")
        self.wrong("error: loop.yaml: cannot be opened: Too many levels of symbolic links\n",
                   (self.folder / "loop.yaml").symlink_to("loop.yaml") or "loop.yaml")
        if os.geteuid() != 0:
            self.write("secret.yaml", "").chmod(0)
            self.wrong("error: secret.yaml: cannot be opened: Permission denied\n", "secret.yaml")

    def test_stdin(self):
        text = self.works("zoo", "local")
        from_zoo = self.works("explain", "local", "--after=pattern")
        self.assertEqual(self.works("explain", "-", "--after=pattern", stdin=text), from_zoo)

    def test_expressions(self):
        self.wrong("-e:1:12: error: expected a number, a name or '(', found end of expression\n"
                   "  causal and \n             ^\n", "-e", "causal and ")

    def test_parameters(self):
        def wrong(message, *assignments):
            arguments = [each for assignment in assignments for each in ("--param", assignment)]
            self.wrong(f"--param:{message}\n", "strided", *arguments)
        wrong("1:1: error: pattern 'strided' has no parameter 'm'\n  m=3\n  ^\nnote: its parameters are l", "m=3")
        wrong("1:1: error: expected NAME=INTEGER, found 'l'\n  l\n  ^", "l")
        wrong("1:1: error: expected NAME=INTEGER, found '=3'\n  =3\n  ^~", "=3")
        wrong("1:3: error: expected a value for 'l', a decimal integer of 64 bits, found 'x'\n  l=x\n    ^", "l=x")
        wrong("1:3: error: expected a value for 'l', a decimal integer of 64 bits, found '9223372036854775808'\n"
              "  l=9223372036854775808\n    ^~~~~~~~~~~~~~~~~~~", "l=9223372036854775808")
        wrong("1:1: error: expected each parameter once, found 'l' again\n  l=2\n  ^", "l=1", "l=2")
        code, out, err = self.run_sparsec("strided", "--param", "l=0")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("l >= 1", err)

    def test_blocks_that_do_not_fit(self):
        limit = "expected a block of 16 to 128 rows and columns in steps of 16, found 24x24"
        self.wrong(f"error: {limit}\n", "strided", "--block", "24")
        self.write("p.yaml", "name: p\nheads: [{attend: causal}]\nschedule: {block: 24}\n")
        self.wrong(f"p.yaml:3:19: error: {limit}\n  schedule: {{block: 24}}\n                    ^~\n", "p.yaml")

    def test_an_empty_head_is_a_warning(self):
        code, out, err = self.run_sparsec("show", "-e", "q - k > 1000", "--stats", "-n", "64")
        self.assertEqual((code, err), (0, "warning: head 'head0' is empty at n = 64: its rows give 0\n"))

    def test_shapes(self):
        self.wrong("error: --kv-heads: 3 does not divide the 8 heads of the model\n",
                   "strided", "--heads", "8", "--kv-heads", "3")
        for flag in ("--head-dim", "--value-dim"):
            code, out, err = self.run_sparsec("strided", flag, "72")
            self.assertEqual((code, out), (1, ""))
            self.assertIn("found 72", err)

    def test_every_prefix_of_a_file(self):
        """Half-written files: an error with its place, or a pattern; never a crash, nothing left behind."""
        text = self.works("zoo", "strided")
        for length in range(0, len(text), 23):
            code, out, err = self.run_sparsec("explain", "-", "--after=pattern", stdin=text[:length])
            if code != 0:
                self.assertEqual((code, out), (1, ""), text[:length])
                self.assertRegex(err, r"^<stdin>:\d+:\d+: error: ")
        self.assertEqual(self.tree(), {})

    def bounded(self, text):
        """Refused in a few lines and 200 MB; tests/patterns/HostileTest.cpp counts the work."""
        path = self.write("hostile.yaml", text)
        with open(self.folder / "out", "w+b") as out_file, open(self.folder / "err", "w+b") as err_file:
            child = subprocess.Popen([SPARSEC, "-q", path], stdout=out_file, stderr=err_file, cwd=self.folder,
                                     env=ENVIRONMENT)
            _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out, err = (self.folder / "out").read_bytes(), (self.folder / "err").read_text(errors="replace")
        self.assertEqual((child.returncode, out), (1, b""), err[:300])
        self.assertLess(used.ru_maxrss, 200_000)
        self.assertLess(len(err), 2000)
        self.assertEqual(list(self.tree()), ["err", "hostile.yaml", "out"])
        return err

    def test_hostile_files(self):
        deep = "(" * 20_000 + "k" + ")" * 20_000
        self.assertIn("nest", self.bounded(f"name: x\nheads:\n  - attend: {deep} <= q\n"))
        self.bounded("name: x\nheads: " + "[" * 20_000 + "]" * 20_000 + "\n")
        self.bounded("a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefghi", "bcdefghij")))
        self.bounded("name: x\nheads: [{attend: " + " or ".join(["k == q"] * 60_000) + "}]\n")
        self.bounded("name: x\nheads:\n" + "  - {attend: 'k // 0 == q'}\n" * 1000)
        self.bounded("\0" * 100_000)
        self.bounded("name: x\nheads: [{attend: \xff\xfe}]\n")
        self.bounded("name: x\nwhere:\n" + "".join(f"  f{i}: f{i-1} + f{i-1}\n" for i in range(1, 64)).replace("f0 + f0", "q + k")
                     + "heads: [{attend: f63 < 9}]\n")


if __name__ == "__main__":
    unittest.main()
