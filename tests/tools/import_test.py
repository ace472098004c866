"""sparsec import: patterns from what other libraries have, against masks written from their definitions."""
import json
import random
import struct
import unittest

from command import CommandTest


def npy(values, shape, descr="|b1", code="?"):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}{code}", *values)


def fixed(h, n, local=4, globals_=1, causal=False, horizontal=False, patterns=1):
    layout = [[0] * n for _ in range(n)]
    for start in range(0, n, local):
        for row in range(start, min(start + local, n)):
            for column in range(start, row + 1 if causal else min(start + local, n)):
                layout[row][column] = 1
    first = local - (1 + h % patterns) * globals_
    whole = n - n % local
    starts = list(range(first, whole, local))
    if whole < n:
        starts.append(min(whole + first, n - globals_))
    for start in starts:
        for i in range(start, start + globals_):
            for row in range(start if causal else 0, n):
                layout[row][i] = 1
            if horizontal:
                layout[i] = [1] * n
    return layout


def variable(h, n, windows=(4,), begin=(0,), end=None, causal=False, horizontal=False):
    layout = [[0] * n for _ in range(n)]
    start, sizes = 0, list(windows)
    while start < n:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        for row in range(start, min(start + size, n)):
            for column in range(start, row + 1 if causal else min(start + size, n)):
                layout[row][column] = 1
        start += size
    for first, last in zip(begin, end or [i + 1 for i in begin]):
        for i in range(first, min(last, n)):
            for row in range(first if causal else 0, n):
                layout[row][i] = 1
            if horizontal:
                layout[i] = [1] * n
    return layout


def longformer(h, n, window=3, begin=(0,), end=None, causal=False):
    layout = [[int(abs(i - j) <= window // 2) for j in range(n)] for i in range(n)]
    for first, last in zip(begin, end or [i + 1 for i in begin]):
        for i in range(first, min(last, n)):
            layout[i] = [1] * n
            for row in layout:
                row[i] = 1
    return [[cell * (not causal or j <= i) for j, cell in enumerate(row)] for i, row in enumerate(layout)]


class Import(CommandTest):
    def mask(self, path, n, heads=1, *flags):
        """Rows of each head, as sets of keys."""
        self.works("show", path, "-n", n, "--heads", heads, "--npy", "found.npy", "-q", *flags)
        data = (self.folder / "found.npy").read_bytes()
        self.assertIn(f"'shape': ({heads}, {n}, {n},)".encode(), data[:128])
        data = data[-heads * n * n:]
        return [[{k for k in range(n) if data[(h * n + q) * n + k]} for q in range(n)] for h in range(heads)]

    def imported(self, config, *flags):
        self.write("config.json", json.dumps(config))
        self.write("pattern.yaml", self.works("import", "config.json", *flags))
        return "pattern.yaml"

    def expect(self, path, layouts, block, n, causal):
        for h, rows in enumerate(self.mask(path, n, len(layouts))):
            for q, keys in enumerate(rows):
                expected = {k for k in range(n) if layouts[h][q // block][k // block] and (not causal or k <= q)}
                self.assertEqual(keys, expected, (h, q))

    def test_deepspeed(self):
        b, blocks = 4, 11
        for config, layout, causal in (
                ({"mode": "fixed"}, lambda h: fixed(h, blocks), False),
                ({"mode": "fixed", "num_local_blocks": 4, "num_global_blocks": 2, "attention": "unidirectional", "num_different_global_patterns": 2},
                 lambda h: fixed(h, blocks, 4, 2, True, False, 2), True),
                ({"mode": "fixed", "num_local_blocks": 4, "horizontal_global_attention": True, "num_different_global_patterns": 4},
                 lambda h: fixed(h, blocks, 4, 1, False, True, 4), False),
                ({"mode": "variable", "local_window_blocks": [1, 2, 4], "global_block_indices": [0, 5], "global_block_end_indices": [1, 7]},
                 lambda h: variable(h, blocks, (1, 2, 4), (0, 5), (1, 7)), False),
                ({"mode": "variable", "local_window_blocks": [3], "attention": "unidirectional"},
                 lambda h: variable(h, blocks, (3,), causal=True), True),
                ({"mode": "variable", "local_window_blocks": [2, 3], "global_block_indices": [1], "horizontal_global_attention": True},
                 lambda h: variable(h, blocks, (2, 3), (1,), horizontal=True), False),
                ({"mode": "bigbird", "num_random_blocks": 0, "num_sliding_window_blocks": 5, "num_global_blocks": 2},
                 lambda h: longformer(h, blocks, 5, (0,), (2,)), False),
                ({"mode": "bslongformer", "global_block_indices": [0, 6]}, lambda h: longformer(h, blocks, 3, (0, 6)), False),
                ({"mode": "bslongformer", "attention": "unidirectional"}, lambda h: longformer(h, blocks, causal=True), True),
                ({"mode": "local_sliding_window", "num_sliding_window_blocks": 5}, lambda h: longformer(h, blocks, 5, (), causal=True), True)):
            with self.subTest(config=config):
                path = self.imported({"sparse_attention": {"block": b, **config}})
                self.expect(path, [layout(h) for h in range(3)], b, b * blocks, causal)

    def test_deepspeeds_random_blocks(self):
        path = self.imported({"mode": "bigbird", "block": 4, "num_random_blocks": 2, "num_sliding_window_blocks": 1, "num_global_blocks": 0})
        for rows in self.mask(path, 40):
            for q, keys in enumerate(rows):
                drawn = {k // 4 for k in keys} - {q // 4}
                self.assertTrue(1 <= len(drawn) <= 2, q)

    def test_what_deepspeed_does_not_take(self):
        self.write("config.json", json.dumps({"mode": "butterfly"}))
        self.refuses(1, "error: expected a DeepSpeed mode of dense, fixed, variable, bigbird, bslongformer or "
                        "local_sliding_window, found 'butterfly'\n", "import", "config.json")
        self.write("config.json", json.dumps({"mode": "fixed", "block": "large"}))
        self.refuses(1, "error: 'block' of the DeepSpeed config: expected an integer of at least 1, found \"large\"\n", "import", "config.json")

    def test_hugging_face(self):
        window, chunk = (lambda q, k: q - 5 < k <= q), (lambda q, k: k <= q and q // 6 == k // 6)
        full = lambda q, k: k <= q
        for config, layers in (
                ({"num_hidden_layers": 4, "sliding_window": 5, "layer_types": 2 * ["sliding_attention", "full_attention"]}, [window, full]),
                ({"num_hidden_layers": 3}, [full]),
                ({"num_hidden_layers": 3, "sliding_window": 5}, [window]),
                ({"num_hidden_layers": 3, "sliding_window": 5, "use_sliding_window": False}, [full]),
                ({"num_hidden_layers": 4, "sliding_window": 5, "max_window_layers": 2}, [full, full, window, window]),
                ({"text_config": {"num_hidden_layers": 12, "sliding_window": 5, "sliding_window_pattern": 6}}, 5 * [window] + [full]),
                ({"num_hidden_layers": 8, "attention_chunk_size": 6, "no_rope_layers": 2 * [1, 1, 1, 0]}, [chunk, chunk, chunk, full]),
                ({"num_hidden_layers": 2, "attention_chunk_size": 6, "layer_types": ["chunked_attention", "full_attention"]}, [chunk, full])):
            with self.subTest(config=config):
                path = self.imported(config)
                for i in range(config.get("text_config", config)["num_hidden_layers"]):
                    [rows] = self.mask(path, 20, 1, "--layer", i)
                    self.assertEqual(rows, [{k for k in range(20) if layers[i % len(layers)](q, k)} for q in range(20)])
        self.write("config.json", json.dumps({"num_hidden_layers": 1, "layer_types": ["linear_attention"]}))
        self.refuses(1, "error: layer_types: expected full_attention, sliding_attention or chunked_attention, found linear_attention; "
                        "a layer without a pattern has none here\n", "import", "config.json")

    def test_a_mask_of_blocks(self):
        numbers = random.Random(4)
        heads, rows, columns = 3, 5, 7
        cells = [numbers.randrange(3) == 0 for _ in range(heads * rows * columns)]
        for descr, code in (("|b1", "?"), ("<i8", "q"), ("|u1", "B"), ("<i4", "i")):
            (self.folder / "mask.npy").write_bytes(npy(cells, (heads, rows, columns), descr, code))
            self.write("mask.yaml", self.works("import", "mask.npy", "--block", "6x4"))
            at = lambda h, r, c: r < rows and c < columns and cells[(h * rows + r) * columns + c]
            for h, found in enumerate(self.mask("mask.yaml", 30, heads)):
                self.assertEqual(found, [{k for k in range(30) if at(h, q // 6, k // 4)} for q in range(30)])
        report = json.loads(self.works("verify", "mask.yaml", "--device=cpu", "--op", "forward", "-n", 28, "--nq", 30, "--q0", 0, "--json"))
        self.assertTrue(report["passed"])

    def test_csr(self):
        numbers = random.Random(5)
        rows = [sorted(numbers.sample(range(9), numbers.randrange(1, 4))) for _ in range(8)]
        offsets = [sum(map(len, rows[:i])) for i in range(9)]
        (self.folder / "crow.npy").write_bytes(npy(offsets, (9,), "<i4", "i"))
        (self.folder / "col.npy").write_bytes(npy(sum(rows, []), (offsets[-1],), "<i8", "q"))
        self.works("import", "crow.npy", "col.npy", "--columns", 9, "--block", 4, "-o", "csr.yaml", "-q")
        [found] = self.mask("csr.yaml", 32)
        self.assertEqual(found, [{k for k in range(32) if k // 4 in rows[q // 4]} for q in range(32)])

    def test_long_lists_stand_beside(self):
        side = 40
        cells = [(r + c) % 2 == 0 for r in range(side) for c in range(side)]
        (self.folder / "mask.npy").write_bytes(npy(cells, (side, side)))
        self.works("import", "mask.npy", "--block", 16, "-o", "checks.yaml", "-q")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["checks.live0.txt", "checks.yaml", "mask.npy"])
        report = json.loads(self.works("show", "checks.yaml", "-n", 640, "--stats", "--json", "--block", 16))
        self.assertEqual(report["heads"][0]["blocks"], {"live": 800, "full": 800, "partial": 0})
        self.refuses(1, "error: checks.live0.txt: is there already, and is not written over\n", "import", "mask.npy", "--block", 16,
                     "-o", "checks.yaml")

    def test_what_is_no_mask(self):
        self.write("text.npy", "hello, this is no array")
        self.refuses(1, "error: text.npy: expected a NumPy array (.npy) or a config in JSON, found another kind of file\n", "import", "text.npy")
        (self.folder / "mask.npy").write_bytes(npy([1.0], (1, 1), "<f4", "f"))
        self.refuses(1, "error: mask.npy: expected booleans or integers: save a.astype(bool)\n", "import", "mask.npy", "--block", 16)
        (self.folder / "mask.npy").write_bytes(npy([True], (1, 1))[:-1])
        self.refuses(1, "error: mask.npy: expected 1 bytes of elements, found 0\n", "import", "mask.npy", "--block", 16)
        (self.folder / "mask.npy").write_bytes(npy([True, False], (2, 1, 1)))
        self.refuses(1, "error: head 1 of the mask has no live block: it would attend nowhere\n", "import", "mask.npy", "--block", 16)
        self.refuses(1, "error: --block: expected the sizes of the mask's blocks, B or BQxBK, found none\n", "import", "mask.npy")


if __name__ == "__main__":
    unittest.main()
