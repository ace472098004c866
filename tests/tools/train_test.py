"""sparsec train, eval and sample as commands: a tiny model on the cpu from the first step to samples, and what they refuse."""
import json
import struct
import unittest

from command import CommandTest

TINY = """name: tiny
data: {kind: bytes, valid: 0.1, test: 0.1}
model: {length: 64, layers: 1, width: 32, heads: 2, ff_ratio: 2, positions: {row: t // 8, column: t % 8}}
attention: {pattern: fixed, params: {l: 8, c: 2}}
train: {steps: 12, batch_size: 2, learning_rate: 0.01, warmup_steps: 2}
every: {log: 4, valid: 6, checkpoint: 6}
valid: {tokens: all, min_context: 32}
"""
TEXT = "the cat sat on the mat and the dog sat on the log. " * 100


class Train(CommandTest):
    def setUp(self):
        super().setUp()
        self.write("tiny.yaml", TINY)
        self.write("text", TEXT)

    def train(self, *more, out="run"):
        code, _, err = self.run_sparsec("train", "./tiny.yaml", "--data", "text", "--out", out, "--device", "cpu", "-q", *more)
        self.assertEqual((code, err), (0, ""))

    def log(self, run="run"):
        return [json.loads(line) for line in (self.folder / run / "log.jsonl").read_text().splitlines()]

    def test_a_run_from_the_first_step_to_samples(self):
        self.train("--until", "7")
        self.assertEqual(self.log()[-1]["step"], 7)
        code, out, err = self.run_sparsec("train", "--resume", "--out", "run", "--device", "cpu")
        self.assertEqual(code, 0, err)
        self.assertIn("step     12 of 12", err)
        self.assertIn("tiny on cpu", out)
        lines = self.log()
        self.assertEqual([line["kind"] for line in lines].count("start"), 1)
        bits = [line["bits"] for line in lines if line["kind"] == "train"]
        self.assertAlmostEqual(bits[0], 8, places=4)
        self.assertLess(bits[-1], 7)
        self.assertEqual(lines[0]["data"][0]["bytes"], len(TEXT))
        report = json.loads(self.works("eval", "run", "--device", "cpu", "--json"))
        self.assertEqual(report["tokens"], len(TEXT) // 10)
        self.assertLess(report["bits"], 7)
        drawn = json.loads(self.works("sample", "run", "--prompt", "the cat", "--length", "20", "--count", "3", "--device", "cpu", "--json"))
        self.assertEqual([len(tokens) for tokens in drawn["tokens"]], [27] * 3)
        for tokens in drawn["tokens"]:
            self.assertEqual(bytes(tokens[:7]), b"the cat")
        text = self.works("sample", "run", "--prompt", "the cat", "--length", "20", "--temperature", "0", "--device", "cpu")
        self.assertTrue(text.startswith("the cat"), text)
        self.tensors_are_readable()

    def test_a_process_takes_what_is_planned(self):
        """Beside what a tiny model takes: kernels, the program. Training, validation, checkpoints, and going on from one."""
        sizes = {"small": (96, 32, 1), "large": (1024, 256, 4)}
        for name, (length, width, layers) in sizes.items():
            self.write(f"{name}.yaml", f"""name: {name}
data: {{kind: bytes, valid: 0.2, test: 0.1}}
model: {{length: {length}, layers: {layers}, width: {width}, heads: 2, ff_ratio: 2, positions: {{row: t // 32, column: t % 32}}}}
attention: {{pattern: strided, params: {{l: 32}}}}
train: {{steps: 4, batch_size: 4, learning_rate: 0.001, warmup_steps: 2}}
every: {{log: 1, valid: 1, checkpoint: 1}}
valid: {{tokens: {length}, min_context: 0}}
""")
        self.write("long", TEXT * 4)

        def train(*arguments, run):
            self.assertEqual(self.run_sparsec("train", *arguments, "--out", run, "--device", "cpu", "--threads", "2", "-q")[::2], (0, ""))
            lines = self.log(run)
            return lines[0]["planned_bytes"], lines[-1]["peak_bytes"]

        found = {}
        for name in sizes:
            train(f"./{name}.yaml", "--data", "long", "--until", "1", run=f"{name}-first")  # compiles
            begun = train(f"./{name}.yaml", "--data", "long", "--until", "1", run=name)
            found[name] = [begun, train("--resume", "--until", "2", run=name)]
        for small, large in zip(found["small"], found["large"]):
            planned = large[0] - small[0]
            self.assertGreater(planned, 200e6)
            self.assertAlmostEqual((large[1] - small[1]) / planned, 1, delta=0.05)

    def tensors_are_readable(self):
        """By nothing but what the format says."""
        data = (self.folder / "run/checkpoints/000012.safetensors").read_bytes()
        size, = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + size])
        entry = header["layers.0.attention.query.weight"]
        self.assertEqual((entry["dtype"], entry["shape"]), ("F32", [32, 32]))
        begin, end = entry["data_offsets"]
        values = struct.unpack("<1024f", data[8 + size + begin:8 + size + end])
        self.assertTrue(any(values))
        self.assertIn("adam.second.norm.bias", header)

    def test_the_config_of_a_run_runs_again(self):
        self.train()
        code, _, err = self.run_sparsec("train", "run/config.yaml", "--data", "text", "--out", "again", "--device", "cpu", "-q")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual((self.folder / "run/best.safetensors").read_bytes(), (self.folder / "again/best.safetensors").read_bytes())

    def test_dry_run_prints_the_calls(self):
        out = self.works("train", "enwik8-small", "--dry-run")
        self.assertIn("layers.3.attention.query_key_value", out)
        self.assertIn("867200 parameters", out)
        self.assertRegex(out, r"matmul_dw and 4 more \d+x\d+x\d+ +4096 x 128 -> 384, bias")
        # The formula of the paper's table: layers x heads x n^2 x 4 bytes, and one layer's.
        self.assertRegex(out, r"\n12,288 +9663\.7 MB +2415\.9 MB ")
        stored = json.loads(self.works("train", "cifar10", "--set", "train.recompute=false", "--set", "train.micro_batch=16", "--dry-run", "--json", "--device", "cpu"))
        report = json.loads(self.works("train", "cifar10", "--set", "train.micro_batch=16", "--dry-run", "--json", "--device", "cpu"))
        self.assertEqual(report["parameters"], 59196928)
        self.assertLess(report["arena_bytes"] * 4, stored["arena_bytes"])
        self.assertGreater(report["flops"], stored["flops"])
        self.assertEqual(report["memory"]["longest"][1]["dense_stored"], int((141e9 / (128 * 2 * 4)) ** 0.5))
        # 141 GB hold thirty times the length of weights that are stored n x n.
        self.assertGreater(report["memory"]["longest"][1]["recomputed"], 30 * report["memory"]["longest"][1]["dense_stored"])
        self.assertTrue(all(call["kernel"] and call["predicted_ms"] > 0 for call in report["calls"]))
        self.refuses(2, "error: --target: only with --dry-run\nnote: 'sparsec train --help' lists what there is\n",
                     "train", "enwik8-small", "--target", "sm_90", "--out", "x")

    def test_what_is_refused(self):
        self.refuses(1, "error: expected --data, where bytes data lies, found none\n"
                        "note: any file will do; enwik8: http://mattmahoney.net/dc/enwik8.zip, 36,445,475 bytes, of the text 100,000,000 bytes, "
                        "SHA-256 2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8\n",
                     "train", "./tiny.yaml", "--out", "run", "--device", "cpu")
        self.refuses(1, "error: there is no config 'enwik9'; did you mean 'enwik8'?\n"
                        "note: there are cifar10, cifar10-small, enwik8, enwik8-small, imagenet64, imagenet64-large, mnist-small, music and music-small; "
                        "a path has a '/' or ends in .yaml\n", "train", "enwik9", "--dry-run")
        self.refuses(1, "error: pattern 'dense': position 0 sees position 1 in head 'dense': a model that predicts what comes next may not "
                        "look ahead\n", "train", "./tiny.yaml", "--pattern", "dense", "--dry-run")
        ahead = self.write("ahead.yaml", "name: ahead\nheads: [{name: a, attend: causal}, {name: b, attend: causal or h == 1 and q == 40 and k > 43}]\n")
        self.refuses(1, "error: pattern 'ahead': position 40 sees position 44 in head 'b': a model that predicts what comes next may not look ahead\n",
                     "train", "./tiny.yaml", "--pattern", ahead, "--dry-run")
        self.refuses(2, "error: --out: missing: the folder of the run\nnote: 'sparsec train --help' lists what there is\n",
                     "train", "./tiny.yaml")
        self.refuses(1, "error: run: there is no such run\n", "eval", "run")
        self.train()
        self.refuses(1, "error: run: holds a run already\nnote: --resume goes on with it\n",
                     "train", "./tiny.yaml", "--data", "text", "--out", "run", "--device", "cpu")
        self.write("text", TEXT.replace("cat", "cow"))
        self.refuses(1, "error: run: the data is not that of the run (its SHA-256 differs)\n", "train", "--resume", "--out", "run", "--device", "cpu", "-q")
        self.refuses(1, "error: expected at most 64 tokens with the prompt, the length of the model, found 65\n",
                     "sample", "run", "--length", "65", "--device", "cpu")
        self.refuses(1, "error: --png: the run's data is bytes, not pictures\n", "sample", "run", "--png", "a.png", "--device", "cpu")


if __name__ == "__main__":
    unittest.main()
