"""What is made of runs: sparsec report, compare RUN RUN and inspect; samples of all three domains, whose configs differ in data, positions
and sizes alone; a run that is killed again and again."""
import base64
import html.parser
import json
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import time
import unittest
import zlib

from command import ENVIRONMENT, SPARSEC, CommandTest

CONFIG = """name: tiny
data: {data}
model: {{length: {length}, layers: 2, width: 32, heads: 2, ff_ratio: 2, positions: {positions}}}
attention: {{pattern: strided, params: {{l: {l}}}}}
train: {{steps: {steps}, batch_size: 2, learning_rate: 0.01, warmup_steps: 2}}
every: {{log: 2, valid: 4, checkpoint: {checkpoint}}}
valid: {{tokens: {length}, min_context: 0}}
"""
TEXT = "the cat sat on the mat and the dog sat on the log. " * 100
GRID = "{row: t // 8, column: t % 8}"


def png_size(data):
    """(width, height) of a PNG, all of which decodes to its pixels."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, pixels = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", chunk[:10])
        if kind == b"IDAT":
            pixels += chunk
        at += 12 + size
    assert kind == b"IEND" and (depth, colour) == (8, 2)
    assert len(zlib.decompress(pixels)) == height * (1 + 3 * width)
    return width, height


class References(html.parser.HTMLParser):
    """Every reference of a page, and whether its elements are closed."""
    VOID = {"meta", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.ids = [], [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.found += [value for key, value in attributes.items() if key in ("src", "href", "srcset", "data", "action", "poster")]
        self.ids.add(attributes.get("id"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


class RunTest(CommandTest):
    def config(self, name, data="{kind: bytes, valid: 0.1, test: 0.2}", positions=GRID, length=64, l=8, steps=8, checkpoint=8):
        self.write(f"{name}.yaml", CONFIG.format(data=data, positions=positions, length=length, l=l, steps=steps, checkpoint=checkpoint))

    def train(self, name, data, out, *more):
        code, _, err = self.run_sparsec("train", f"./{name}.yaml", "--data", data, "--out", out, "--device", "cpu", "-q", *more)
        self.assertEqual((code, err), (0, ""))

    def log(self, run):
        return [json.loads(line) for line in (self.folder / run / "log.jsonl").read_text().splitlines()]

    def text_run(self, out="run", *more):
        self.config("text")
        self.write("data", TEXT)
        self.train("text", "data", out, *more)


class Runs(RunTest):
    def test_report(self):
        self.text_run()
        self.works("report", "run", "--samples", "2", "--length", "20", "--device", "cpu")
        page = (self.folder / "run/report.html").read_text()
        found = References(page)
        self.assertEqual(found.open, [])
        self.assertGreater(len(found.found), 10)
        images = 0
        for reference in found.found:
            if reference.startswith("#"):
                self.assertIn(reference[1:], found.ids)
                continue
            kind, _, data = reference.partition(";base64,")
            self.assertEqual(kind, "data:image/png")
            self.assertGreater(png_size(base64.b64decode(data, validate=True)), (100, 100))
            images += 1
        self.assertGreaterEqual(images, 6)  # four curves, the pattern, attention
        for text in ("n x n, recomputed", "matmul_dw", "effective keys", "learning_rate: 0.01", "name: column", "validation, best"):
            self.assertIn(text, page)
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser:
            done = subprocess.run([browser, "--headless", "--no-sandbox", "--dump-dom", (self.folder / "run/report.html").as_uri()],
                                  capture_output=True, text=True, timeout=120)
            self.assertIn("validation, best", done.stdout)
        self.refuses(1, "error: none: there is no such run\n", "report", "none")
        self.refuses(2, "error: RUN: missing: the folder of a run\nnote: 'sparsec report --help' lists what there is\n", "report")

    def test_compare(self):
        self.text_run()
        self.text_run("dense", "--pattern", "causal")
        out = self.works("compare", "run", "dense", "--png", "curves.png")
        self.assertTrue(out.startswith("the runs differ in nothing but the pattern\n"), out)
        self.assertGreater(png_size((self.folder / "curves.png").read_bytes()), (800, 300))
        self.text_run("other", "--set", "train.seed=2", "--until", "4")
        report = json.loads(self.works("compare", "run", "other", "--json"))
        self.assertEqual([each["what"] for each in report["differences"]], ["tokens trained on", "train.seed"])
        self.assertEqual([each["steps"] for each in report["runs"]], [8, 4])
        self.assertEqual(report["runs"][0]["best_valid_bits"], min(line["valid_bits"] for line in self.log("run") if line["kind"] == "valid"))
        self.assertIn("beside the pattern these differ:\n  tokens trained on       1,024 | 512\n  train.seed              1 | 2\n",
                      self.works("compare", "run", "other"))
        self.refuses(1, "error: causal: there is no such run\n", "compare", "run", "causal")
        self.refuses(1, "error: --png: draws the curves of runs; 'sparsec show --png' draws patterns\n", "compare", "causal", "local", "--png", "a.png")

    def test_inspect(self):
        self.text_run("dense", "--pattern", "causal")
        report = json.loads(self.works("inspect", "dense", "--inside", "local", "--param", "l=16", "--png", "all.png", "--device", "cpu", "--json"))
        self.assertEqual([(each["layer"], each["head"], each["entry"]) for each in report["heads"]],
                         [(layer, head, "causal") for layer in (0, 1) for head in (0, 1)])
        for each in report["heads"]:
            self.assertTrue(1 <= each["effective_keys"] <= 64)
            self.assertTrue(0 < each["inside"] < 1 and 0 <= each["change"] < 1)
        whole = json.loads(self.works("inspect", "dense", "--layer", "1", "--head", "0", "--inside", "causal", "--device", "cpu", "--json"))
        self.assertAlmostEqual(whole["heads"][0]["inside"], 1, places=5)
        self.works("inspect", "dense", "--layer", "1", "--head", "0", "--query", "40", "--png", "query.png", "--device", "cpu")
        for file in ("all.png", "query.png"):
            self.assertGreater(png_size((self.folder / file).read_bytes()), (100, 100))
        # A text of one's own: one input, so nothing changes; the query after its last byte is the last that is looked at.
        text = ("inspect", "dense", "--prompt", "the cat sat", "--device", "cpu")
        heads = json.loads(self.works(*text, "--inside", "causal", "--json"))["heads"]
        self.assertEqual(len(heads), 4)
        for each in heads:
            self.assertNotIn("change", each)
            self.assertTrue(1 <= each["effective_keys"] <= 12)
            self.assertAlmostEqual(each["inside"], 1, places=5)
        other = json.loads(self.works("inspect", "dense", "--prompt", "a dog and a", "--device", "cpu", "--json"))["heads"]
        self.assertNotEqual([each["effective_keys"] for each in heads], [each["effective_keys"] for each in other])
        self.works(*text, "--layer", "1", "--head", "0", "--query", "11", "--png", "after.png")
        self.assertGreater(png_size((self.folder / "after.png").read_bytes()), (100, 100))
        self.works(*text, "--png", "blocks.png")
        self.assertGreater(png_size((self.folder / "blocks.png").read_bytes()), (100, 100))
        self.works("inspect", "dense", "--prompt", "x" * 64, "--device", "cpu")
        self.refuses(1, "error: --query: expected one of 0 to 11, the position after what is read, found 12\n",
                     *text, "--layer", "1", "--head", "0", "--query", "12", "--png", "a.png")
        self.refuses(1, "error: --prompt: expected at most 64 bytes, the length of the model, found 65\n",
                     "inspect", "dense", "--prompt", "x" * 65, "--device", "cpu")
        self.refuses(1, "error: --prompt: expected at least one byte, found none\n", "inspect", "dense", "--prompt", "", "--device", "cpu")
        self.refuses(1, "error: --audio: the run's data is bytes, not sound\n", "inspect", "dense", "--audio", "begin.wav", "--device", "cpu")
        self.refuses(2, "error: --prompt, --image, --audio: one of them at most\nnote: 'sparsec inspect --help' lists what there is\n",
                     "inspect", "dense", "--prompt", "a", "--audio", "begin.wav")
        # A pattern that keeps what the heads look at, and trains on.
        report = json.loads(self.works("inspect", "dense", "--propose", "--mass", "0.9", "-o", "proposed.yaml", "--device", "cpu", "--json"))
        self.assertEqual(len(report["heads"]), 4)
        for each in report["heads"]:
            self.assertGreaterEqual(each["mass"], 0.9)
            self.assertLessEqual(each["pairs"], 64 * 65 // 2)
        self.train("text", "data", "learned", "--pattern", "./proposed.yaml")
        self.assertLess([line["valid_bits"] for line in self.log("learned") if line["kind"] == "valid"][-1], 8)
        self.refuses(1, "error: --layer: expected one of 0 to 1, found 7\n", "inspect", "dense", "--layer", "7", "--device", "cpu")
        self.refuses(1, "error: --query: the run's data is bytes: expected a position\n",
                     "inspect", "dense", "--layer", "0", "--head", "0", "--query", "1,2,0", "--png", "a.png", "--device", "cpu")
        self.refuses(2, "error: --query: needs --layer, --head and --png\nnote: 'sparsec inspect --help' lists what there is\n",
                     "inspect", "dense", "--query", "1")

    def pictures(self):
        """MNIST's files of a few pictures: a bright column that moves."""
        for name, count in (("train", 40), ("t10k", 6)):
            pixels = bytes(200 if x == (i * 5 + y // 4) % 28 else 0 for i in range(count) for y in range(28) for x in range(28))
            (self.folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, count, 28, 28) + pixels)

    def sound(self, name, samples):
        data = b"".join(struct.pack("<h", 8000 if i // 20 % 2 else -8000) for i in range(samples))
        (self.folder / name).write_bytes(b"RIFF" + struct.pack("<I", len(data) + 36) + b"WAVEfmt " +
                                         struct.pack("<IHHIIHH", 16, 1, 1, 12000, 24000, 2, 16) + b"data" + struct.pack("<I", len(data)) + data)

    def frames(self, name):
        data = (self.folder / name).read_bytes()
        self.assertEqual((data[:4], data[8:16]), (b"RIFF", b"WAVEfmt "))
        self.assertEqual(struct.unpack("<IHHIIHH", data[16:36]), (16, 1, 1, 12000, 24000, 2, 16))
        size, = struct.unpack("<I", data[40:44])
        self.assertEqual(len(data), 44 + size)
        return struct.unpack(f"<{size // 2}h", data[44:])

    def test_all_three_domains(self):
        """Text, pictures and sound: the configs differ in data, positions and sizes alone."""
        self.pictures()
        self.sound("music.wav", 12000)
        self.write("data", TEXT)
        self.config("text", steps=12)
        self.config("digits", data="{kind: mnist, valid: 4}", positions="{row: t // 28, column: t % 28}", length=784, l=28, steps=12)
        self.config("music", data="{kind: wav, valid: 0.2, test: 0.2}", positions="{row: t // 20, column: t % 20}", length=240, l=20, steps=12)
        for name, data in (("text", "data"), ("digits", "."), ("music", "music.wav")):
            self.train(name, data, f"run-{name}")
            bits = [line["bits"] for line in self.log(f"run-{name}") if line["kind"] == "train"]
            self.assertAlmostEqual(bits[0], 8, places=4)
            self.assertLess(bits[-1], 6, name)
        # Completions: the prompt's pixels, samples, truth; and what is drawn from nothing above real ones.
        drawn = json.loads(self.works("sample", "run-digits", "--image", "test:3", "--keep", "0.5", "--count", "2", "--png", "done.png", "--device",
                                      "cpu", "--json"))
        truth = (self.folder / "t10k-images-idx3-ubyte").read_bytes()[16 + 3 * 784:16 + 4 * 784]
        for tokens in drawn["tokens"]:
            self.assertEqual(bytes(tokens[:392]), truth[:392])
        self.assertEqual(png_size((self.folder / "done.png").read_bytes()), (4 + 4 * 116, 4 + 116))
        self.works("sample", "run-digits", "--count", "3", "--png", "grid.png", "--device", "cpu")
        self.assertEqual(png_size((self.folder / "grid.png").read_bytes()), (4 + 3 * 116, 4 + 2 * 116))
        self.refuses(1, "error: --image: expected SPLIT:INDEX, as test:17, found 'seventeen'\n",
                     "sample", "run-digits", "--image", "seventeen", "--device", "cpu")
        self.refuses(1, "error: --image: expected one of the 6 pictures of test, as test:17, found 'test:6'\n",
                     "sample", "run-digits", "--image", "test:6", "--device", "cpu")
        self.works("inspect", "run-digits", "--layer", "1", "--head", "1", "--query", "16,8,0", "--image", "test:2", "--png", "look.png", "--device", "cpu")
        png_size((self.folder / "look.png").read_bytes())
        # Sound: exactly count x seconds x 12,000 frames, clips joined; from nothing, and on from a file.
        self.works("sample", "run-music", "--count", "3", "--seconds", "0.02", "--wav", "clips.wav", "--device", "cpu")
        self.assertEqual(len(self.frames("clips.wav")), 3 * 240)
        self.sound("begin.wav", 100)
        self.works("sample", "run-music", "--audio", "begin.wav", "--count", "2", "--seconds", "0.02", "--wav", "on.wav", "--device", "cpu")
        on, begin = self.frames("on.wav"), self.frames("begin.wav")
        self.assertEqual(len(on), 2 * 240)
        for clip in (on[:240], on[240:]):  # through mu-law
            self.assertTrue(all(abs(a - b) < 400 for a, b in zip(clip[:100], begin)))
        self.refuses(1, "error: --audio: the run's data is bytes, not sound\n", "sample", "run-text", "--audio", "begin.wav", "--device", "cpu")
        # What heads look at in a recording: its beginning, where it is longer than the model.
        short = json.loads(self.works("inspect", "run-music", "--audio", "begin.wav", "--device", "cpu", "--json"))["heads"]
        long = json.loads(self.works("inspect", "run-music", "--audio", "music.wav", "--device", "cpu", "--json"))["heads"]
        self.assertEqual(len(short), 4)
        for a, b in zip(short, long):
            self.assertTrue(1 <= a["effective_keys"] <= 101 and 1 <= b["effective_keys"] <= 240)
            self.assertNotEqual(a["effective_keys"], b["effective_keys"])
        self.sound("empty.wav", 0)
        self.refuses(1, "error: --audio: expected at least one sample, found none\n", "inspect", "run-music", "--audio", "empty.wav", "--device", "cpu")
        self.refuses(1, "error: --prompt: the run's data is wav, not text\n", "inspect", "run-music", "--prompt", "a", "--device", "cpu")
        self.refuses(1, "error: --prompt: the run's data is mnist, not text\n", "sample", "run-digits", "--prompt", "a", "--device", "cpu")
        self.refuses(1, "error: --image: the run's data is wav, not pictures\n", "sample", "run-music", "--image", "test:0", "--device", "cpu")
        self.refuses(2, "error: --prompt, --image, --audio: one of them at most\nnote: 'sparsec sample --help' lists what there is\n",
                     "sample", "run-music", "--audio", "begin.wav", "--prompt", "a")
        self.works("report", "run-music", "--samples", "1", "--length", "40", "--device", "cpu")
        self.assertIn("data:audio/wav;base64,", (self.folder / "run-music/report.html").read_text())

    def test_streamed_text_is_utf8(self):
        self.config("text")
        self.write("data", "äöü€𝄞 " * 800)
        self.train("text", "data", "run")
        done = subprocess.run([SPARSEC, "sample", "run", "--length", "60", "--device", "cpu"], cwd=self.folder, capture_output=True, env=ENVIRONMENT)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        done.stdout.decode("utf-8")  # strictly
        text = self.works("sample", "run", "--prompt", "€", "--length", "1", "--temperature", "0", "--device", "cpu")
        self.assertTrue(text.startswith("€"), text)

    def test_what_is_refused(self):
        self.text_run()
        device = ("--device", "cpu")
        self.refuses(1, "error: --min-context: expected less than the length of 64, found 64\n", "eval", "run", "--min-context", "64", *device)
        self.refuses(1, "error: --image: the run's data is bytes, not pictures\n", "sample", "run", "--image", "test:0", *device)
        self.refuses(1, "error: --image: expected SPLIT:INDEX, as test:17, found 'seventeen'\n", "inspect", "run", "--image", "seventeen", *device)
        self.refuses(1, "error: expected 99 whole sequences of 64 in the split 'test', found 15\n", "inspect", "run", "--inputs", "99", *device)
        self.refuses(1, "error: --query: expected a position below the length of 64, found 64\n",
                     "inspect", "run", "--layer", "0", "--head", "0", "--query", "64", "--png", "a.png", *device)
        self.refuses(1, "error: run: the config is not that of the run; leave CONFIG out to go on with its own\n",
                     "train", "./text.yaml", "--set", "train.seed=5", "--resume", "--out", "run", *device)
        self.config("untested", data="{kind: bytes, valid: 0.1}")
        self.train("untested", "data", "untested")
        self.refuses(1, "error: the data has nothing in the split 'test'\n", "eval", "untested", *device)
        with (self.folder / "run/log.jsonl").open("a") as log:
            log.write("not json\n{}\n")
        self.refuses(1, f"error: run/log.jsonl:{len(self.log('untested')) + 1}: expected a line of JSON\n", "compare", "run", "untested")
        (self.folder / "untested/best.safetensors").unlink()
        for path in (self.folder / "untested/checkpoints").iterdir():
            path.unlink()
        self.refuses(1, "error: untested: has neither best.safetensors nor a checkpoint yet\n", "sample", "untested", *device)

    def test_128_layers_train(self):
        """Twenty of 200 steps."""
        self.config("deep", length=32, steps=200)
        self.write("data", TEXT)
        self.train("deep", "data", "run", "--set", "model.layers=128", "--set", "every.log=1", "--until", "20")
        lines = [line for line in self.log("run") if line["kind"] == "train"]
        self.assertEqual(len(lines), 20)
        self.assertLess(lines[-1]["bits"], 6)
        self.assertTrue(all(line["grad_norm"] < 100 and line["skipped_steps"] == 0 for line in lines))


class Killed(RunTest):
    KILLS = 20

    def test_killed_at_random_moments(self):
        """The weights and the log of a run that was never stopped."""
        self.config("text", steps=240, checkpoint=2)
        self.write("data", TEXT)
        self.train("text", "data", "whole")
        chance = random.Random(7)
        kills = 0
        arguments = ("./text.yaml", "--data", "data")
        while kills < self.KILLS:
            more = ("--resume",) if (self.folder / "killed").exists() else ()
            child = subprocess.Popen([SPARSEC, "train", *arguments, "--out", "killed", "--device", "cpu", "-q", *more], cwd=self.folder, env=ENVIRONMENT,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            # Once it writes again, a few lines further on and a moment.
            log = self.folder / "killed/log.jsonl"
            wanted = (len(log.read_bytes()) if log.exists() else 0) + chance.randrange(1200)
            while child.poll() is None and (len(log.read_bytes()) if log.exists() else 0) <= wanted:
                time.sleep(0.002)
            time.sleep(chance.random() * 0.03)
            child.send_signal(signal.SIGKILL)
            _, err = child.communicate()
            self.assertIn(child.returncode, (-signal.SIGKILL, 0), err)
            kills += 1
        if self.log("killed")[-1]["kind"] != "end":
            self.train("text", "data", "killed", "--resume")
        for file in ("checkpoints/000240.safetensors", "best.safetensors"):
            self.assertEqual((self.folder / "whole" / file).read_bytes(), (self.folder / "killed" / file).read_bytes(), file)

        def lines(run):
            return [{key: value for key, value in line.items() if key not in ("step_ms", "tokens_per_second", "peak_bytes")} for line in self.log(run)]
        self.assertEqual(lines("whole"), lines("killed"))
        self.assertEqual([path.name for path in pathlib.Path(self.folder / "killed").iterdir() if path.name.endswith(".part")], [])


if __name__ == "__main__":
    unittest.main()
