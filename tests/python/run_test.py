"""sparsec.torch.load: the module of a run scores as `sparsec eval` does, and greedy samples are its largest logits."""
import json
import math
import os
import pathlib
import subprocess
import tempfile
import unittest

import sparsec
import sparsec.torch
import torch
from devices import DEVICE

CONFIG = """name: tiny
data: {{kind: bytes, valid: 0.1, test: 0.1}}
model: {{length: 64, layers: 2, width: 32, heads: 2, qk_ratio: {qk}, ff_ratio: 2, tied_output: {tied}, weight_scale: 2, embedding_scale: 30,
        positions: {{row: t // 8, column: t % 8}}}}
attention: {{pattern: {pattern}, params: {params}}}
train: {{steps: 12, batch_size: 2, learning_rate: 0.01, warmup_steps: 2}}
every: {{log: 4, valid: 6, checkpoint: 6}}
valid: {{tokens: all, min_context: 32}}
"""
TEXT = b"the cat sat on the mat and the dog sat on the log. " * 100
LENGTH, CONTEXT = 64, 32


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "text").write_bytes(TEXT)

    def sparsec(self, *arguments):
        return subprocess.run([os.environ["SPARSEC_PROGRAM"], *arguments], cwd=self.folder, check=True, text=True,
                              capture_output=True).stdout

    def train(self, pattern, params, tied="false", qk=1):
        (self.folder / "tiny.yaml").write_text(CONFIG.format(pattern=pattern, params=params, tied=tied, qk=qk))
        self.sparsec("train", "./tiny.yaml", "--data", "text", "--out", "run", "--device", DEVICE, "-q")
        return self.folder / "run"

    def bits(self, model):
        """Of the test split, by windows with CONTEXT tokens before those that are scored."""
        test = torch.tensor(list(TEXT[-(len(TEXT) // 10):]), device=DEVICE)
        total = scored = 0
        with torch.no_grad():
            while scored < len(test):
                begin = min(max(scored - CONTEXT, 0), len(test) - LENGTH)
                window = test[begin:begin + LENGTH]
                losses = torch.nn.functional.cross_entropy(model(window[None])[0].double(), window, reduction="none")
                total += losses[scored - begin:].sum().item()
                scored = begin + len(window)
        return total / len(test) / math.log(2)

    def check(self, run):
        model = sparsec.torch.load(run).to(DEVICE)
        report = json.loads(self.sparsec("eval", "run", "--device", DEVICE, "--json"))
        self.assertAlmostEqual(self.bits(model), report["bits"], places=5)
        drawn = json.loads(self.sparsec("sample", "run", "--prompt", "the cat", "--length", "20", "--temperature", "0",
                                        "--device", DEVICE, "--json"))["tokens"][0]
        with torch.no_grad():
            greedy = model(torch.tensor([drawn + [0]], device=DEVICE))[0].argmax(-1).tolist()
        self.assertEqual(drawn[7:], greedy[7:-1])

    def test_fixed(self):
        run = self.train("fixed", "{l: 8, c: 2}")
        self.check(run)
        self.assertNotEqual(*(self.bits(sparsec.torch.load(run, checkpoint=step).to(DEVICE)) for step in (6, 12)))
        for call, text in [(lambda: sparsec.torch.load(run, checkpoint=7), "checkpoint: expected a step that has one, found 7"),
                           (lambda: sparsec.torch.load(self.folder),
                            f"run: expected the folder of a run of sparsec train, found {self.folder}")]:
            with self.assertRaises(sparsec.InputError) as raised:
                call()
            self.assertEqual(str(raised.exception), text)

    def test_a_pattern_whose_layers_differ_and_tied_output(self):
        self.check(self.train("strided-interleaved", "{l: 8}", tied="true", qk=2))


if __name__ == "__main__":
    unittest.main()
