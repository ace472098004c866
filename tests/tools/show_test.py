"""sparsec show: grids, receptive fields, several patterns, PNG; and sparsec compare."""
import json
import struct
import unittest
import zlib

from command import CommandTest

FULL, PARTIAL, EMPTY, INK = (31, 95, 168), (156, 195, 234), (237, 240, 244), (31, 41, 51)
BLUE, ORANGE = (46, 111, 183), (232, 131, 58)


def read_png(path):
    """(width, height, rows of (red, green, blue)) of an 8-bit RGB PNG."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, colour, interlace) == (8, 2, 0)
        elif kind == b"IDAT":
            parts += body
        at += 12 + length
    raw, stride, rows, before = zlib.decompress(parts), 3 * width, [], bytes(3 * width)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left = line[i - 3] if i >= 3 else 0
            up, corner = before[i], before[i - 3] if i >= 3 else 0
            paeth = min((abs(up - corner), 0, left), (abs(left - corner), 1, up),
                        (abs(left + up - 2 * corner), 2, corner))[2]
            line[i] = (line[i] + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
        before = bytes(line)
        rows.append([tuple(line[i:i + 3]) for i in range(0, stride, 3)])
    return width, height, rows


def count(rows, colour):
    return sum(row.count(colour) for row in rows)


class Show(CommandTest):
    def test_a_grid(self):
        self.assertEqual(self.works("show", "strided", "--param", "l=4", "--grid", "4x4", "--query", "9"), """\
strided, n = 16

. 2 . .
. 2 1 1
1 Q . .
. . . .
Q the query; 1 row; 2 column; * several
""")
        self.assertEqual(self.works("show", "fixed", "--param", "l=4", "--param", "c=1", "--grid", "4x4", "--query=10"),
                         """\
fixed, n = 16

. . . 2
. . . 2
1 1 Q .
. . . .
Q the query; 1 fixed, part 1; 2 fixed, part 2; * several
""")

    def test_a_film(self):
        self.assertEqual(self.works("show", "neighbourhood-3d", "--param", "width=3", "--param", "height=2",
                                    "--param", "r=1", "--grid", "3x2x3", "--query", "6"), """\
neighbourhood-3d, n = 18

1 1 .    Q 1 .    1 1 .
1 1 .    1 1 .    1 1 .
Q the query; 1 near
""")

    def test_what_a_query_can_know(self):
        text = self.works("show", "factorised-3", "--param", "l=2", "--grid", "2x4", "--query", "7", "--layers", "3")
        self.assertEqual(text, """\
factorised-3, n = 8

3 3 3 3
2 2 1 Q
Q the query; 1, 2, ... the first layer after which it knows a place
""")
        known = json.loads(self.works("show", "factorised-3", "--param", "l=2", "--grid", "2x4", "--query", "7",
                                      "--layers", "3", "--json"))["known_after"]
        self.assertEqual(known, [[6, 7], [4, 5, 6, 7], list(range(8))])
        self.assertEqual(self.works("show", "local", "--param", "l=2", "-n", "4", "--layers", "2"), """\
local, n = 4

1 . . .
1 1 . .
2 1 1 .
. 2 1 1
rows know columns: 1, 2, ... the first layer after which
""")

    def test_the_chosen_order(self):
        text = self.works("show", "strided", "--param", "l=8", "-n", "64", "--block", "8")
        self.assertIn("blocks of 8x8 in order residue 8; F full, P partial, . empty\nP . . . . . . .\n. P .", text)
        self.assertIn("keys by residue 8: 0 8 16 24 32 40 48 56 | 1 9 17", text)
        natural = self.works("show", "strided", "--param", "l=8", "-n", "64", "--block", "8", "--order", "natural")
        self.assertNotIn("residue", natural)

    def test_the_paper_by_schedule(self):
        def column(*arguments):
            report = json.loads(self.works("show", *arguments, "--stats", "--json"))
            return report["heads"][-1]
        head = column("strided", "-n", "12288", "--block", "32")
        self.assertEqual((head["blocks"]["live"], head["order"], head["parts"]), (768, "residue 128", 1))
        head = column("strided-merged", "-n", "12288", "--block", "32")
        self.assertEqual((head["blocks"]["live"], head["parts"]), (1910 + 768, 2))
        self.assertEqual(head["order"], "residue 128 | natural")
        head = column("strided", "-n", "65536", "--block", "32", "--param", "l=256")
        self.assertEqual((head["elements"], head["blocks"]["live"]), (8_421_376, 9216))
        head = column("strided", "-n", "1048576", "--block", "32", "--param", "l=1024")
        self.assertEqual(head["blocks"]["live"], 540_672)
        head = column("fixed", "-n", "12288", "--block", "128")
        self.assertLessEqual(head["blocks"]["live"], 1300)

    def test_colour(self):
        plain = self.works("show", "local", "-n", "8")
        self.assertEqual(plain, self.works("show", "local", "-n", "8", "--color", "never"))
        self.assertIn("\x1b[38;5;", self.works("show", "local", "-n", "8", "--color", "always"))

    def test_a_figure(self):
        self.works("show", "-e", "k <= q", "-n", "4", "--block", "2", "--png", "a.png")
        _, _, rows = read_png(self.folder / "a.png")
        cell = 62 * 62  # of pitch 64
        legend = 16 * 16
        self.assertEqual(count(rows, BLUE), 10 * cell)
        self.assertEqual(count(rows, FULL), cell + legend)
        self.assertEqual(count(rows, PARTIAL), 2 * cell + legend)
        self.assertEqual(count(rows, EMPTY), 6 * cell + cell + legend)

    def test_the_figure_of_the_paper(self):
        self.works("show", "causal", "strided", "fixed", "--param", "l=6", "--param", "c=1", "--grid", "6x6",
                   "--png", "b.png")
        width, height, rows = read_png(self.folder / "b.png")
        self.assertGreater(width, height)
        self.assertGreater(count(rows, ORANGE), 1000)
        self.assertGreater(count(rows, BLUE), 1000)

    def test_several_patterns(self):
        report = json.loads(self.works("show", "causal", "local", "-e", "q == k", "-n", "8", "--json"))
        self.assertEqual([each["pattern"] for each in report["patterns"]], ["causal", "local", "q == k"])

    def test_wrong(self):
        for error, *arguments in (
                ("--query: asks what one query sees on a grid: needs --grid", "--query", "3"),
                ("-n: the grid has 36 tokens", "--grid", "6x6", "-n", "12"),
                ("--query: expected one of the grid's tokens, 0 .. 35, found 36", "--grid", "6x6", "--query", "36"),
                ("--no-residual: says how --layers count: needs --layers", "--no-residual"),
                ("expected at most 64 positions for a picture of what they know in letters, found 65; --png draws 512",
                 "--layers", "2", "-n", "65")):
            self.refuses(1, f"error: {error}\n", "show", "local", *arguments)
        self.refuses(1, "error: no/a.png: cannot be written: No such file or directory\n",
                     "show", "local", "--png", "no/a.png")
        self.refuses(2, "error: --grid: expected HxW or DxHxW, of at most 4096 tokens, found '6'\n"
                        "note: 'sparsec show --help' lists what there is\n", "show", "local", "--grid", "6")
        self.refuses(1, "error: --param: none of the patterns has a parameter 'm'\n",
                     "show", "local", "causal", "--param", "m=3")


class Compare(CommandTest):
    def test_side_by_side(self):
        report = json.loads(self.works("compare", "strided", "local", "fixed", "-n", "1024", "--param", "l=32", "--json"))
        self.assertEqual(list(report), ["n", "nq", "q0", "target", "heads", "layers", "dense_predicted_ms", "patterns"])
        rows = {row["pattern"]: row for row in report["patterns"]}
        self.assertEqual(list(rows["local"]), ["pattern", "heads", "density", "elements", "live_blocks", "exact", "useful", "orders",
                                               "predicted_ms", "predicted_speedup_over_dense", "reach_complete",
                                               "reach_fraction_unreachable", "reach_first"])
        self.assertEqual(report["heads"], 2)
        self.assertTrue(rows["strided"]["reach_complete"] and not rows["local"]["reach_complete"])
        self.assertEqual(rows["local"]["reach_first"], {"from": 0, "to": 63})
        for row in rows.values():
            self.assertLess(row["predicted_ms"], 1)
            self.assertTrue(0 < row["useful"] <= 1)
        text = self.works("compare", "strided", "local", "-n", "1024", "--param", "l=32")
        self.assertRegex(text, r"(?m)^strided .* all .* us .*")

    def test_more_positions_than_reach_takes(self):
        """All else is compared; blocks are more than 32 bits count."""
        n, row = 1 << 25, 1 << 19
        text = self.works("compare", "causal", "local", "-n", n)
        self.assertRegex(text, rf"(?m)^causal +50.0 % +{row * (row + 1) // 2:,} +100.0 % +- ")
        self.assertIn("no reach of local: expected 1 .. 16777216 positions, found 33554432\n", text)
        for row in json.loads(self.works("compare", "causal", "local", "-n", n, "--json"))["patterns"]:
            self.assertEqual((row["reach_complete"], row["reach_fraction_unreachable"]), (None, None))


if __name__ == "__main__":
    unittest.main()
