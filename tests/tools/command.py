"""Runs sparsec for the tests: as a child with an environment of its own, in an empty folder."""
import os
import pathlib
import subprocess
import tempfile
import unittest

SPARSEC = os.environ["SPARSEC"]
ENVIRONMENT = {"PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C"}


HANGS = 900  # seconds after which a command is taken to hang, however busy the machine is


class CommandTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()

    def run_sparsec(self, *arguments, stdin="", environment=None, timeout=HANGS):
        """(exit code, stdout, stderr)"""
        done = subprocess.run([SPARSEC, *map(str, arguments)], cwd=self.folder, input=stdin, text=True,
                              capture_output=True, timeout=timeout, env={**ENVIRONMENT, **(environment or {})})
        return done.returncode, done.stdout, done.stderr

    def run_shell(self, script, timeout=HANGS):
        done = subprocess.run(["sh", "-c", script], cwd=self.folder, text=True, capture_output=True,
                              timeout=timeout, env={**ENVIRONMENT, "SPARSEC": SPARSEC})
        return done.returncode, done.stdout, done.stderr

    def run_tool(self, *command):
        """stdout of another program, which must succeed."""
        done = subprocess.run([*map(str, command)], cwd=self.folder, env=ENVIRONMENT, text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def works(self, *arguments, **options):
        """stdout of a run that must succeed and say nothing on stderr."""
        code, out, err = self.run_sparsec(*arguments, **options)
        self.assertEqual((code, err), (0, ""), out)
        return out

    def refuses(self, code, err, *arguments, **options):
        """A run that must end with this code and this text on stderr, and leave nothing behind."""
        before = self.tree()
        found = self.run_sparsec(*arguments, **options)
        self.assertEqual(found, (code, "", err))
        self.assertEqual(self.tree(), before)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def tree(self):
        """Every file below the folder, with its contents."""
        return {str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
                for path in sorted(self.folder.rglob("*"))}
