#!/usr/bin/env python3
"""A dense layer's three products by cuBLAS on the GPU at hand, beside `sparsec-matmul --device=cuda --dtype=bf16`.

    peer_matmul.py [TOKENSxINxOUT ...]

A line each, as that tool's: y = x w^T, dx = dy w and dw = dy^T x by torch.matmul on random bf16, the median of the launches; without
sizes those of the 95M model at batch 4 and 8192^3. The first line is a copy of 2 GiB: both ways counted.
"""
import statistics
import sys
import time

import torch

SIZES = ["49152x512x1536", "49152x512x512", "49152x512x2048", "49152x2048x512", "8192x8192x8192"]


def timed(call, budget=0.5):
    """Median milliseconds, by events, after warming up."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    times, begin = [], time.time()
    while len(times) < 5 or (time.time() - begin < budget and len(times) < 200):
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        call()
        last.record()
        last.synchronize()
        times.append(first.elapsed_time(last))
    return statistics.median(times)


def main():
    source = torch.empty(1 << 30, dtype=torch.bfloat16, device="cuda").normal_()
    target = torch.empty_like(source)
    ms = timed(lambda: target.copy_(source))
    print(f"copy  {ms:8.3f} ms  {4 * source.numel() / ms * 1e-6:8.1f} GB/s")
    del source, target
    for size in sys.argv[1:] or SIZES:
        tokens, in_, out = (int(each) for each in size.split("x"))
        x, w, dy = (torch.randn(rows, columns, dtype=torch.bfloat16, device="cuda")
                    for rows, columns in [(tokens, in_), (out, in_), (tokens, out)])
        y, dx, dw = torch.empty_like(dy), torch.empty_like(x), torch.empty_like(w)
        products = {"forward": lambda: torch.matmul(x, w.t(), out=y),
                    "input gradient": lambda: torch.matmul(dy, w, out=dx),
                    "weight gradient": lambda: torch.matmul(dy.t(), x, out=dw)}
        for name, call in products.items():
            ms = timed(call)
            rate = 2 * tokens * in_ * out / ms * 1e-6
            print(f"{tokens:5} x {in_:4} x {out:4}  {'cuBLAS, ' + name:30}  {ms:8.3f} ms  {rate:8.1f} GFLOP/s")


if __name__ == "__main__":
    main()
