"""The examples in Python, as their README types them; those of torch where torch is."""
import importlib.util
import pathlib
import re
import subprocess
import sys
import textwrap
import unittest

from devices import DEVICE

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
README = (EXAMPLES.parent / "README.md").read_text()
TORCH = importlib.util.find_spec("torch") is not None


def run(path, *arguments):
    done = subprocess.run([sys.executable, "-B", EXAMPLES / path, *arguments], text=True, capture_output=True)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout


class Readme(unittest.TestCase):
    def test_its_programs_run_as_they_stand(self):
        programs = re.findall(r"^(    import .*\n(?:    .*\n)+)", README, re.M)
        self.assertEqual(len(programs), 2)
        self.assertLessEqual(len(programs[0].splitlines()), 10)
        for program in programs if TORCH else programs[:1]:
            self.assertEqual(program.count('device="cpu"'), 1)  # the one word that changes
            program = textwrap.dedent(program).replace('"cpu"', f'"{DEVICE}"')
            done = subprocess.run([sys.executable, "-B", "-c", program], text=True, capture_output=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Examples(unittest.TestCase):
    def test_arrays(self):
        out = run("python/arrays.py")
        self.assertLess(float(re.search(r"furthest from a mask: (\S+)", out)[1]), 1e-5)
        self.assertIn("column: 1.6% of all pairs, in token order residue 32", out)

    def test_a_pattern_in_code(self):
        out = run("python/pattern_in_code.py")
        self.assertIn("keys of the last query: [8 8 8 8]", out)
        self.assertIn("lse is the mask's: True", out)
        self.assertIn("unknown name 'evry': did you mean 'every'?", out)

    @unittest.skipUnless(TORCH, "skipped: no torch")
    def test_the_released_functions(self):
        self.assertEqual(run("openai_sparse_attention.py").count("gradients too"), 6)

    @unittest.skipUnless(TORCH, "skipped: no torch")
    def test_training(self):
        bits = [float(each) for each in re.findall(r": (\S+) bits a byte", run("python/train.py", "--steps", "31", "--device", DEVICE))]
        self.assertEqual(len(bits), 4)
        self.assertLess(bits[-1], bits[0] - 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
