#!/usr/bin/env python3
"""Seconds and memory of planning long sequences: patterns without a closed form at n = 1,048,576, those with one at
2^31 - 1. Prints the table of docs/performance.md.

    python3 tools/bench/plans.py [--sparsec PATH]
"""
import argparse
import os
import random
import subprocess
import tempfile
import time

MILLION, MOST = 1_048_576, 2_147_483_647

FILES = {
    "moved": 'heads: [{attend: "moved(q // 1024, k // 1024, 7, 1024) and moved(q % 1024, k % 1024, 7, 1024)"}]',
    "documents": 'params: {ends: {file: ends.txt}}\nheads: [{attend: "causal and segment(q, ends) == segment(k, ends)"}]',
    "vertical-slash": "params: {columns: {file: columns.txt}, diagonals: {file: diagonals.txt}}\n"
                      'heads: [{attend: "causal and (k in columns or q - k in diagonals)"}]',
    "random-blocks": 'heads: [{attend: "draw(3, q // 64, k // 64, n // 64, h)"}]',
}
NUMBERS = {"ends.txt": 31, "columns.txt": 1000, "diagonals.txt": 200}

# What is planned, how a row of the table calls it, and its command.
ROWS = [
    ("a neighbourhood moved inside on two axes", "moved.yaml", MILLION),
    ("32 documents", "documents.yaml", MILLION),
    ("1,000 columns, 200 diagonals", "vertical-slash.yaml", MILLION),
    ("3 random blocks a row, drawn", "random-blocks.yaml", MILLION),
    ("bigbird", "bigbird", MILLION),
    ("local", "local", MILLION),
    ("strided", "strided", MILLION),
    ("fixed", "fixed", MILLION),
    ("strided", "strided", MOST),
    ("fixed", "fixed", MOST),
    ("causal", "causal", MOST),
]


def taken(command, folder):
    """Wall seconds, processor seconds, MB at most, and whether it was done."""
    began = time.monotonic()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    return (time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
            os.waitstatus_to_exitcode(status) == 0)


def cell(figures):
    wall, processor, megabytes, done = figures
    return f"{wall:.2f} s, {processor:.2f}, {megabytes:.0f} MB" + ("" if done else ", refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sparsec", default="sparsec", help="the program (sparsec, from PATH)")
    sparsec = parser.parse_args().sparsec
    sparsec = os.path.abspath(sparsec) if os.sep in sparsec else sparsec
    with tempfile.TemporaryDirectory() as folder:
        choose = random.Random(1)
        for name, count in NUMBERS.items():
            with open(f"{folder}/{name}", "w") as file:
                file.writelines(f"{x}\n" for x in sorted(choose.sample(range(1, MILLION), count)))
        for name, text in FILES.items():
            with open(f"{folder}/{name}.yaml", "w") as file:
                file.write(f"name: {name}\n{text}\n")
        print("| pattern | n | `show --stats` | compile, forward and backward |\n|---|---|---|---|")
        for title, pattern, n in ROWS:
            show = taken([sparsec, "show", pattern, "--stats", "-n", str(n)], folder)
            compiled = taken([sparsec, pattern, "-n", str(n), "-q", "-o", "out"], folder)
            print(f"| {title} | {n:,} | {cell(show)} | {cell(compiled)} |", flush=True)


if __name__ == "__main__":
    main()
