#!/usr/bin/env python3
"""What small models learn with each pattern: trains runs, scores them, prints a table.

    learning.py SPARSEC CONFIG DATA [--device D] [--seeds N] [--set K=V ...] [PATTERN[:NAME=VALUE,...] ...]

A row a pattern (without any the config's own): bits of the validation split half way and at the
end, bits of the test split with the config's context (mean over the seeds, and lowest to highest),
and the median milliseconds of a step. Runs lie in ./learning.CONFIG.PATTERN.SEED and stay.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys


def lines(run, kind):
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in log if line["kind"] == kind]


def trained(asked, pattern, seed):
    """The folder of a run that has ended; one that is there is taken as it is."""
    name, _, params = pattern.partition(":")
    run = pathlib.Path(f"learning.{asked.config}.{name or 'own'}.{seed}")
    if run.exists():
        return run
    command = [asked.sparsec, "train", asked.config, "--data", asked.data, "--out", str(run), "-q",
               "--set", f"train.seed={seed}"]
    command += ["--pattern", name] if name else []
    for each in params.split(",") if params else []:
        command += ["--set", f"attention.params.{each}"]
    for each in asked.set:
        command += ["--set", each]
    subprocess.run(command + asked.on, check=True)
    return run


def scored(asked, run):
    command = [asked.sparsec, "eval", str(run), "--data", asked.data, "--split", "test", "--json"]
    return json.loads(subprocess.run(command + asked.on, check=True, capture_output=True).stdout)["bits"]


def row(asked, pattern):
    half, end, test, step = [], [], [], []
    for seed in range(1, asked.seeds + 1):
        run = trained(asked, pattern, seed)
        valid = {line["step"]: line["valid_bits"] for line in lines(run, "valid")}
        last = max(valid)
        half.append(valid[min(valid, key=lambda at: abs(2 * at - last))])
        end.append(valid[last])
        test.append(scored(asked, run))
        step.append(statistics.median(line["step_ms"] for line in lines(run, "train")))
    return [pattern or "of the config", str(last), f"{statistics.mean(half):.3f}",
            f"{statistics.mean(end):.3f}",
            f"{statistics.mean(test):.3f} ({min(test):.3f} to {max(test):.3f})",
            f"{statistics.median(step):.1f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sparsec")
    parser.add_argument("config")
    parser.add_argument("data")
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--device")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[])
    asked = parser.parse_args()
    asked.on = ["--device", asked.device] if asked.device else []
    print("| pattern | steps | valid, half way | valid, end | test | ms a step |\n|---|---|---|---|---|---|")
    for pattern in asked.patterns or [""]:
        print("| " + " | ".join(row(asked, pattern)) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
