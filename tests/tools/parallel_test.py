"""Training in several processes, started as torchrun starts them: the loss of one process with as much more accumulation, the same bits
each time, one run folder; and what is refused."""
import json
import os
import socket
import subprocess
import unittest

from command import ENVIRONMENT, HANGS, SPARSEC, CommandTest

TINY = """name: tiny
data: {kind: bytes, valid: 0.1, test: 0.1}
model: {length: 64, layers: 1, width: 32, heads: 2, ff_ratio: 2, dropout: 0.1, positions: {row: t // 8, column: t % 8}}
attention: {pattern: fixed, params: {l: 8, c: 2}}
train: {steps: 8, batch_size: 4, micro_batch: 1, learning_rate: 0.01, warmup_steps: 2}
every: {log: 1, valid: 4, checkpoint: 4}
valid: {tokens: all, min_context: 32}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Parallel(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("tiny.yaml", TINY)
        self.write("text", "the cat sat on the mat and the dog sat on the log. " * 60)

    def together(self, count, *arguments, environment=None):
        """[(exit code, stdout, stderr)] of the processes."""
        place = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        started = [subprocess.Popen([SPARSEC, *arguments], cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env={**ENVIRONMENT, **place, **(environment or {}), "RANK": str(rank)})
                   for rank in range(count)]
        return [(*each.communicate(timeout=HANGS), each.returncode)[::-1] for each in started]

    def train(self, count, out, *more):
        arguments = ("train", "./tiny.yaml", "--data", "text", "--out", out, "--device", "cpu", "-q", "--threads", "1", *more)
        for code, err, out_text in self.together(count, *arguments):
            self.assertEqual((code, err, out_text), (0, "", ""))

    def log(self, run):
        return [json.loads(line) for line in (self.folder / run / "log.jsonl").read_text().splitlines()]

    def curve(self, run):
        return [line["loss"] for line in self.log(run) if line["kind"] == "train"]

    def test_two_processes_are_one_with_twice_the_accumulation(self):
        self.train(1, "one")
        for out in ("two", "again"):
            self.train(2, out)
        one, two = self.curve("one"), self.curve("two")
        self.assertEqual(len(one), 8)
        for a, b in zip(one, two):
            self.assertAlmostEqual(a, b, delta=2e-5 * a)
        self.assertLess(two[-1], two[0] - 0.5)
        self.assertEqual([line["processes"] for line in self.log("two") if line["kind"] == "start"], [2])
        valid = [[line["valid_bits"] for line in self.log(run) if line["kind"] == "valid"] for run in ("one", "two")]
        for a, b in zip(*valid):
            self.assertAlmostEqual(a, b, delta=2e-5 * a)
        self.assertEqual([[line["valid_tokens"] for line in self.log(run) if line["kind"] == "valid"] for run in ("one", "two")], [[306] * 2] * 2)
        # The same bits for the same number of processes, and on from a checkpoint.
        for file in ("checkpoints/000008.safetensors", "best.safetensors"):
            self.assertEqual((self.folder / "two" / file).read_bytes(), (self.folder / "again" / file).read_bytes())
        self.train(2, "stopped", "--until", "4")
        for code, err, out in self.together(2, "train", "--resume", "--out", "stopped", "--device", "cpu", "-q", "--threads", "1"):
            self.assertEqual((code, err, out), (0, "", ""))
        self.assertEqual((self.folder / "two/checkpoints/000008.safetensors").read_bytes(),
                         (self.folder / "stopped/checkpoints/000008.safetensors").read_bytes())

    def test_what_is_refused(self):
        self.refuses(1, "error: RANK: expected a number from 0 to 1, found '2'\n", "train", "./tiny.yaml", "--data", "text", "--out", "run",
                     "--device", "cpu", environment={"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"})
        self.refuses(1, "error: MASTER_ADDR: expected the address of the first process, found none\n", "train", "./tiny.yaml", "--data", "text",
                     "--out", "run", "--device", "cpu", environment={"WORLD_SIZE": "2", "RANK": "1"})
        self.refuses(1, "error: MASTER_PORT: expected a number from 1 to 65534, found none\n", "train", "./tiny.yaml", "--data", "text",
                     "--out", "run", "--device", "cpu", environment={"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1"})
        found = self.together(3, "train", "./tiny.yaml", "--data", "text", "--out", "run", "--device", "cpu", "-q")
        error = "error: expected a 'train.batch_size' that 3 processes share in runs of 1, found 4\n"
        self.assertEqual(found, [(1, error, "")] * 3)
        # A process that is refused takes the others with it.
        os.makedirs(self.folder / "taken")
        self.write("taken/file", "x")
        found = self.together(2, "train", "./tiny.yaml", "--data", "text", "--out", "taken", "--device", "cpu", "-q")
        self.assertEqual(found[0], (1, "error: taken: is not the folder of a run (there is no sparsec.json in it)\n", ""))
        self.assertEqual(found[1], (3, "error: process 0 of 2 has gone\n", ""))


if __name__ == "__main__":
    unittest.main()
