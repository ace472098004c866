#!/usr/bin/env python3
"""How attention's time grows with the length, l being its root: a table, the exponents, and a plot.

    scaling.py SPARSEC [--device cuda] [--lengths 4096,9216,...] [--batch N] [--heads 16] [--head-dim 64] [--svg FILE] [--json FILE]
    scaling.py --from FILE [--svg FILE]        what --json kept

Lengths are squares. `fixed` has c = 32, so that each pattern's pairs are of the order n l. An exponent is the slope of a straight line through log time over log n, by least squares; the
work is what `bench` counts in live blocks. Time that is proportional to live blocks is a rate that stays: the column says by how much the rates of a
pattern lie apart from their geometric mean, at most. The plot needs matplotlib.
"""
import argparse
import json
import math
import pathlib
import subprocess

PATTERNS = ("dense", "strided", "strided-merged", "fixed")


def measured(asked):
    rows = []
    for n in map(int, asked.lengths.split(",")):
        l = math.isqrt(n)
        assert l * l == n, f"{n} is no square"
        for patterns, params in ((["strided", "strided-merged"], [f"l={l}"]), (["fixed"], [f"l={l}", f"c={min(l, 32)}"])):
            command = [asked.sparsec, "bench", *patterns, "--op", "forward,backward", "--device", asked.device, "--json", "-q", "-n", str(n),
                       "--batch", str(asked.batch), "--heads", str(asked.heads), "--head-dim", str(asked.head_dim), "--samples", str(asked.samples),
                       "--baselines", "dense" if "fixed" in patterns else "none"]
            for each in params:
                command += ["--param", each]
            rows += json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["rows"]
    return [{key: row[key] for key in ("pattern", "operation", "n", "median_ms", "gflops_computed")} for row in rows if row["kind"] == "kernel"]


def line_through(points):
    """(slope, height at 1) of log y over log x."""
    x, y = ([math.log(p[i]) for p in points] for i in (0, 1))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)
    return slope, math.exp(mean_y - slope * mean_x)


def table(rows):
    lengths = sorted({row["n"] for row in rows})
    print("| pattern | pass | " + " | ".join(f"{n:,}" for n in lengths) + " | exponent | rates apart |")
    print("|---|---|" + "---:|" * (len(lengths) + 2))
    for pattern in PATTERNS:
        for operation in ("forward", "backward"):
            own = {row["n"]: row for row in rows if (row["pattern"], row["operation"]) == (pattern, operation)}
            if len(own) < 2:
                continue
            slope, _ = line_through([(n, row["median_ms"]) for n, row in own.items()])
            rates = [row["gflops_computed"] for row in own.values()]
            middle = math.exp(sum(map(math.log, rates)) / len(rates))
            apart = max(max(rates) / middle, middle / min(rates)) - 1
            cells = " | ".join(f"{own[n]['median_ms']:.3f}" if n in own else "" for n in lengths)
            print(f"| {pattern} | {operation} | {cells} | {slope:.2f} | {apart:.0%} |")


def plot(rows, file):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
    for axis, operation in zip(axes, ("forward", "backward")):
        for pattern in PATTERNS:
            points = sorted((row["n"], row["median_ms"]) for row in rows if (row["pattern"], row["operation"]) == (pattern, operation))
            if len(points) < 2:
                continue
            slope, height = line_through(points)
            line, = axis.plot(*zip(*points), "o", label=f"{pattern}, n^{slope:.2f}")
            axis.plot([n for n, _ in points], [height * n ** slope for n, _ in points], "-", color=line.get_color(), linewidth=1)
        axis.set(xscale="log", yscale="log", xlabel="tokens", title=operation)
        axis.set_xticks(sorted({row["n"] for row in rows}), [f"{n // 1024:,}K" for n in sorted({row["n"] for row in rows})], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    axes[0].set_ylabel("milliseconds")
    figure.savefig(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sparsec", nargs="?")
    parser.add_argument("--from", dest="source", type=pathlib.Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--lengths", default="4096,9216,16384,25600,36864,50176,65536")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    asked = parser.parse_args()
    if not asked.source and not asked.sparsec:
        parser.error("expected SPARSEC, or --from FILE")
    rows = json.loads(asked.source.read_text()) if asked.source else measured(asked)
    if asked.json:
        asked.json.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    table(rows)
    if asked.svg:
        plot(rows, asked.svg)


if __name__ == "__main__":
    main()
