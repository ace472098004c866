"""README.md, docs/ and the examples' README.md: what a reader can type works and prints what they show."""
import os
import pathlib
import re
import subprocess
import unittest

from command import ENVIRONMENT, SPARSEC, CommandTest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("**/README.md"))]

# A line of a block is a command if it follows "$ " (what is printed may follow it) or begins with one of these; so is
# `sparsec` in running text with two arguments or more. Words in capitals stand for others.
PROGRAM = re.compile(r"(sparsec|sparsec-opt|torchrun|python3|cmake|ctest|ninja|git|\./dev|build/\S+|([A-Z_]+=\S+ +)+\S+)( |$)")
IN_TEXT = re.compile(r"`(sparsec [^-`\s][^`\s]* [^`]+)`")
PLACEHOLDER = re.compile(r" (PATTERN|NAME|DIR|P)\b")

# Commands that the test leaves out: how they begin, and why. Each occurs in a document.
LEFT_OUT = {
    "./dev run": "sets the machine up and builds",
    "./dev build": "sets the machine up and builds",
    "./dev test": "runs this test",
    "./dev budget": "builds for release and measures seconds, which no test does",
    "python3 tools/bench/bars.py": "times for minutes, and fails where a machine misses a bar",
    "python3 tools/bench/peer_baselines.py": "needs PyTorch and a GPU",
    "python3 tools/bench/peer_backward.py": "needs PyTorch and a GPU",
    "python3 tools/bench/peer_step.py": "needs PyTorch and a GPU",
    "python3 tools/bench/peer_matmul.py": "needs PyTorch and a GPU",
    "python3 tools/bench/scaling.py": "times for minutes",
    "torchrun": "needs PyTorch; parallel_test.py sets its variables",
    "./dev wheel": "builds for release",
    "python3 examples/": "needs numpy or PyTorch: tests/python/examples_test.py runs them where those are",
    "python3 tools/bench/python_overhead.py": "needs PyTorch",
    "python3 tools/bench/learning.py": "trains for minutes",
    "python3 tools/bench/plans.py": "plans for minutes",
    "python3 tools/bench/peer_learning.py": "needs PyTorch",
    "sparsec train mnist-small ": "needs the digits",
    "sparsec sample run/mnist ": "needs the digits",
    "sparsec inspect run/mnist ": "needs the digits",
    "sparsec train cifar10-small ": "needs the pictures",
    "sparsec train enwik8 ": "95 million parameters at n = 12,288: needs a GPU",
}
# Commands that run in another way than they stand: what is replaced, by what, and why. Each applies to a document.
REPLACED = [
    (r"\./dev install (\S+)", r"cmake --install build/dev --strip --prefix \1", "builds for release"),
    (r"--device[= ]cuda", "--device=cpu", "needs a GPU"),
    (r" --cubin", "", "needs NVRTC or ptxas"),
    (r"(sparsec bench .*)-n \d+", r"\1-n 256", "times are not tested"),
    (r"(sparsec bench .*)--samples \d+", r"\1", "times are not tested"),
    (r"(sparsec bench (?!.* -n ).*)", r"\1 -n 256", "times are not tested"),
    (r"(sparsec bench .*)", r"\1 --samples 3", "times are not tested"),
    (r"(sparsec train .*)--data \S+(.*)", r"\1--data docs/decisions.md\2 --steps 2 --device cpu -q", "a text that is there, and minutes saved"),
    (r"(sparsec (?:eval|sample|inspect|report) .*)", r"\1 --device cpu", "on the device of the run"),
    (r"(sparsec inspect .*)--mass [\d.]+", r"\1--mass 0.01", "minutes saved"),
    (r"(sparsec report .*)", r"\1 --samples 1 --length 3", "minutes saved"),
    (r"(sparsec sample .*)--length \d+", r"\1--length 3", "minutes saved"),
]
# What differs from run to run and from compiler to compiler.
VOLATILE = [(r"in \d+(\.\d+)? s\b", "in some time"), (r"\b[\d,.]+ [KM]?B\b", "some bytes"), (r"\s+", " ")]


def parts(text):
    """The fenced and indented blocks, each a list of lines, and the text around them."""
    blocks, prose, block, fenced = [], [], [], False
    for line in text.splitlines() + [""]:
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    ") or (block and not line.strip()):
            block.append(line if fenced else line[4:])
            continue
        else:
            prose.append(line)
        blocks.append(block)
        block = []
    return [*blocks, block], "\n".join(prose)


def commands(block):
    """(command, lines shown below it) for each command of a block."""
    def begins(line):
        return line.startswith("$ ") or (PROGRAM.match(line) and not PLACEHOLDER.search(line))
    at = 0
    while at < len(block):
        first = block[at]
        at += 1
        if not begins(first):
            continue
        command = re.sub(r"\s+#.*", "", first.removeprefix("$ "))
        end = re.search(r"<<(\w+)", command)
        while command.endswith("\\") or (end and command.splitlines()[-1] != end[1]):
            command += "\n" + (block[at] if end else re.sub(r"\s+#.*", "", block[at]))
            at += 1
        shown = []
        while first.startswith("$ ") and at < len(block) and not begins(block[at]):
            shown.append(block[at])
            at += 1
        yield command, shown


def all_commands(document):
    """(command, lines shown below it): those of the blocks, then those in the text."""
    blocks, prose = parts(document.read_text())
    in_text = [match.replace("\n", " ") for match in IN_TEXT.findall(prose)]
    return [each for block in blocks for each in commands(block)] + \
        [(command, []) for command in in_text if not PLACEHOLDER.search(command)]


def plain(line):
    for pattern, by in VOLATILE:
        line = re.sub(pattern, by, line)
    return line.strip()


def as_run(command):
    for pattern, by, _ in REPLACED:
        command = re.sub(pattern, by, command, count=1)
    return command


class Documents(CommandTest):
    def setUp(self):
        """A folder that looks like the root of the tree, with the programs of this build."""
        super().setUp()
        for path in ROOT.iterdir():
            if path.name not in ("build", ".git"):
                (self.folder / path.name).symlink_to(path)
        (self.folder / "build").mkdir()
        (self.folder / "build/dev").symlink_to(pathlib.Path(SPARSEC).resolve().parents[1])
        self.path = os.pathsep.join([os.path.dirname(SPARSEC), ENVIRONMENT["PATH"]])

    def typed(self, command):
        """stdout of a command that must succeed."""
        done = subprocess.run(["sh", "-c", command], cwd=self.folder, text=True, stdin=subprocess.DEVNULL, timeout=300,
                              capture_output=True, env={**ENVIRONMENT, "PATH": self.path})
        self.assertEqual(done.returncode, 0, f"\n$ {command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_commands(self):
        for document in DOCUMENTS:
            for command, shown in all_commands(document):
                if command.startswith(tuple(LEFT_OUT)):
                    continue
                with self.subTest(document=document.name, command=command):
                    printed = [plain(line) for line in self.typed(as_run(command)).splitlines()]
                    rest = iter(printed)
                    for line in filter(None, map(plain, shown)):
                        if line not in rest:  # looks at what is left of the output
                            self.fail("\n".join([f"does not print, in its place: {line}", *printed]))

    def test_the_tables_above(self):
        typed = [command for document in DOCUMENTS for command, _ in all_commands(document)]
        self.assertGreater(len(typed), 30)
        for begin in LEFT_OUT:
            self.assertTrue(any(command.startswith(begin) for command in typed), f"nothing begins with '{begin}'")
        for pattern, _, _ in REPLACED:
            self.assertTrue(any(re.search(pattern, command) for command in typed), f"nothing matches '{pattern}'")

    def test_the_first_pattern_is_the_zoos(self):
        shown = re.search(r"    # (patterns/zoo/\w+\.yaml), without its doc\n((?:    .+\n)+)", (ROOT / "README.md").read_text())
        lines = [re.sub(r"\s+#.*", "", line[4:]) for line in shown[2].splitlines()]
        zoo = re.sub(r"doc: >-\n(  .*\n)+", "", (ROOT / shown[1]).read_text())
        self.assertEqual(lines, zoo.splitlines())

    def test_links(self):
        for document in DOCUMENTS:
            for link in re.findall(r"\]\(([^)]+)\)", parts(document.read_text())[1]):
                if link.startswith("http"):
                    continue
                path, _, anchor = link.partition("#")
                target = document.parent / path if path else document
                self.assertTrue(target.exists(), f"{document.name}: {link}")
                if anchor:
                    self.assertIn(anchor, anchors(target), f"{document.name}: {link}")


class Verified(CommandTest):
    """The README's pattern and two of the zoo's that are unions, in one part and in several."""

    def patterns(self):
        [beat] = [command for command, _ in all_commands(ROOT / "README.md") if command.startswith("cat > beat.yaml")]
        self.run_tool("sh", "-c", beat)
        return "beat.yaml", "bigbird", "longformer"

    def verify(self, pattern, *arguments):
        with self.subTest(pattern=pattern, arguments=" ".join(map(str, arguments))):
            out = self.works("verify", pattern, "--device=cpu", "--threads", 1, *arguments)
            self.assertRegex(out, r"\npassed: (\d+) of \1 outputs within the bound\n$")

    def test_all_types(self):
        for pattern in self.patterns():
            for split in ("always", "never"):
                for seed in (1, 2, 3):
                    self.verify(pattern, "--split", split, "--seed", seed)

    def test_one_key_in_f32(self):
        """Of one key the output is that key's row, up to rounding of the last step."""
        for pattern in self.patterns():
            for split in ("always", "never"):
                for seed in range(8):
                    self.verify(pattern, "--split", split, "--seed", seed, "-n", 1, "--dtype", "f32", "--head-dim", 16)


class Decisions(unittest.TestCase):
    def test_each_has_five_lines_and_a_place_in_the_index(self):
        path = ROOT / "docs/decisions.md"
        index, *entries = path.read_text().split("\n### ")
        titles = [entry.splitlines()[0] for entry in entries]
        self.assertEqual(re.findall(r"^- \[(.*)\]\(#", index, re.M), titles)
        for title, entry in zip(titles, entries):
            lines = entry.split("\n## ")[0].strip().splitlines()[2:]
            self.assertRegex(lines[0], r"^20\d\d-\d\d-\d\d\. ", title)
            self.assertLessEqual(len(lines), 5, title)
            self.assertLessEqual(max(map(len, lines)), 130, title)


def anchors(path):
    """Of a Markdown file's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)", path.read_text(), re.M)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


if __name__ == "__main__":
    unittest.main()
