#!/usr/bin/env python3
"""Holds the cpu's kernels to what they must reach: runs `sparsec bench`, prints each ratio beside its bar.

usage: bars.py SPARSEC [--threads N] [--samples N] [--markdown]

Every ratio is of two rows of one run, timed in turn; only the two lengths of the last one need a run each, and those
are repeated in turn. Exits 1 when a ratio misses its bar. --markdown prints the rows for docs/performance.md too.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

TEN = "(q // 128 * 7 + k // 128 * 13) % 10 == 0"
FOUR = "(q // 128 * 7 + k // 128 * 13) % 4 == 0"  # 8 live blocks a row at n = 4,096


class Bars:
    def __init__(self, options):
        self.options = options
        self.rows = []
        self.missed = 0

    def bench(self, *arguments):
        """The rows of one run, by pattern."""
        command = [self.options.sparsec, "bench", *arguments, "--device=cpu", "--json", "--samples", str(self.options.samples)]
        if self.options.threads:
            command += ["--threads", str(self.options.threads)]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        self.report = report
        self.rows += [(row, " ".join(arguments)) for row in report["rows"]]
        return {row["pattern"]: row for row in report["rows"]}

    def say(self, what, value, bar, unit="", at_most=False):
        met = value <= bar if at_most else value >= bar
        self.missed += not met
        print(f"  {'ok    ' if met else 'MISSED'}  {what:<78} {value:8.3f}{unit}   bar {'<=' if at_most else '>='} {bar}{unit}",
              flush=True)

    def forward(self, head_dim):
        name = f"f32, n 4,096, head dim {head_dim}: "
        own = ["--head-dim", str(head_dim), "--dtype", "f32"]
        rows = self.bench("dense", *own)  # in the blocks that it chooses
        dense = rows["dense"]
        print(f"{self.report['description']}; {self.report['peak']}; {self.report.get('openblas', 'no OpenBLAS')}")
        self.say(name + "dense, of the FMA peak", dense["fraction_of_peak"], 0.8)
        if "openblas dense" in rows:
            ratio = rows["openblas dense"]["median_ms"] / dense["median_ms"]
            print(f"  -       {name + 'dense over dense on OpenBLAS':<78} {ratio:8.3f}x")
        shape = own + ["--block", "128"]
        name = f"f32, n 4,096, head dim {head_dim}, 128-blocks: "
        rows = self.bench("causal", "local", *shape, "--baselines", "dense")
        dense = rows["dense"]
        self.say(name + "causal's rate on live blocks over dense's", rows["causal"]["gflops_computed"] / dense["gflops_computed"], 0.9)
        self.say(name + "local(128)'s", rows["local"]["gflops_computed"] / dense["gflops_computed"], 0.8)
        for expression, what in ((FOUR, "8 live blocks of 128 a row"), (TEN, "1 block of 128 in 10")):
            rows = self.bench("-e", expression, *shape, "--baselines", "dense")
            [row] = [row for row in rows.values() if row["kind"] == "kernel" and row["pattern"] != "dense"]
            if expression == FOUR:
                self.say(name + what + ", likewise", row["gflops_computed"] / rows["dense"]["gflops_computed"], 0.9)
            else:
                self.say(name + what + ", speed-up over dense", row["speedup_over_dense"], 8, "x")

    def bf16(self, head_dim, bar):
        """Its rows are not in one run with f32's, so the two runs are repeated in turn."""
        ratios = []
        for _ in range(3):
            f32, bf16 = (self.bench("dense", "--head-dim", str(head_dim), "--dtype", dtype, "--baselines", "dense")["dense"]
                         for dtype in ("f32", "bf16"))
            ratios.append(f32["median_ms"] / bf16["median_ms"])
        self.say(f"bf16 over f32, dense, n 4,096, head dim {head_dim}", statistics.median(ratios), bar, "x")

    def length(self):
        def per_query(n):
            return self.bench("local", "--heads", "8", "--dtype", "f32", "-n", str(n), "--baselines", "none")["local"]["median_ms"] / n
        ratio = statistics.median(per_query(65536) / per_query(4096) for _ in range(3))
        self.say("f32, local(128), 8 heads: a query at n 65,536 over one at 4,096", ratio, 1.1, "x", at_most=True)

    def compile(self):
        slowest = max((row["compile_ms"], row["pattern"]) for row, _ in self.rows if row.get("compile_ms"))
        self.say(f"slowest compile of a kernel ({slowest[1]})", slowest[0], 200, " ms", at_most=True)
        self.say("second use of a kernel in a process", max(row["reuse_us"] for row, _ in self.rows if row.get("reuse_us")), 10, " us",
                 at_most=True)

    def markdown(self):
        print("\n| run | pattern | n | head dim | dtype | ms | quartiles | GFLOP/s live | computed | of peak | over dense | ideal | predicted ms |")
        print("|---|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|")

        def cell(value, form):
            return form.format(value) if value is not None else "-"
        for row, arguments in self.rows:
            print(f"| {arguments} | {row['pattern']} | {row['n']:,} | {row['head_dim']} | {row['dtype']} | {row['median_ms']:.3f} | "
                  f"{row['low_ms']:.3f} .. {row['high_ms']:.3f} | {row['gflops_live']:.1f} | {row['gflops_computed']:.1f} | "
                  f"{cell(row['fraction_of_peak'], '{:.1%}')} | {cell(row['speedup_over_dense'], '{:.2f}')} | "
                  f"{cell(row['ideal_speedup'], '{:.2f}')} | {cell(row['predicted_ms'], '{:.3f}')} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sparsec", type=pathlib.Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--markdown", action="store_true")
    bars = Bars(parser.parse_args())
    for head_dim in (64, 128):
        bars.forward(head_dim)
    bars.bench("dense", "--dtype", "bf16", "--baselines", "none", "-n", "256")
    if "AVX512_BF16" in bars.report["peak"] or "AMX" in bars.report["peak"]:
        bars.bf16(64, 1.5)
        bars.bf16(128, 1.6)
    else:
        print("  -       bf16 over f32: this CPU has no AMX, and no AVX512_BF16 that is faster than f32")
    bars.length()
    bars.compile()
    if bars.options.markdown:
        bars.markdown()
    print(f"{bars.missed} missed")
    return 1 if bars.missed else 0


if __name__ == "__main__":
    sys.exit(main())
