#!/usr/bin/env python3
"""What a warm call costs from Python, in microseconds: medians of one run, torch's own attentions beside them.

    python3 tools/bench/python_overhead.py [--device cpu|cuda] [--samples 200] [--no-flex]

The problem is one tile (n = 64, one head of 64), so that almost all of a call is what it takes to get to the kernel; on cpu the
kernel is in the time, on cuda calls are only enqueued: a sample is the mean of 20 calls, and the queue is emptied between samples.
A captured graph holds 20 calls too, and replays their launches without Python. flex_attention is compiled by torch, which takes
half a minute and a C++ compiler; on CPUs it has no gradients. `bar`: what we ask of an H200 and its host.
"""
import argparse
import itertools
import statistics
import time

import sparsec
import sparsec.torch
import torch

CALLS = 20  # of a sample
BARS = {"sparsec.torch.attention": 15, "... recording gradients": 30}


def median(call, samples, wait):
    for _ in range(3 * CALLS):
        call()
    times = []
    for _ in range(samples):
        wait()
        begin = time.perf_counter()
        for _ in range(CALLS):
            call()
        times.append((time.perf_counter() - begin) / CALLS * 1e6)
    wait()
    return statistics.median(times)


def graph_of(call):
    """CALLS captured calls; what replays a CALLS-th of them on average."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(CALLS):
            call()
    count = itertools.count()
    return lambda: next(count) % CALLS or graph.replay()


def flex_of(q):
    """torch's flex_attention, compiled, with the same window."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    n = q.shape[2]
    mask = create_block_mask(lambda b, h, q, k: (k <= q) & (q - k < 128), 1, 1, n, n, device=q.device)
    compiled = torch.compile(flex_attention, fullgraph=True, dynamic=False)
    return lambda q, k, v: compiled(q, k, v, block_mask=mask)


class Nothing(torch.autograd.Function):
    """What autograd takes for itself, forward and backward."""

    @staticmethod
    def forward(ctx, q, k, v):
        return q.detach()

    @staticmethod
    def backward(ctx, d_out):
        return d_out, d_out, d_out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--no-flex", action="store_true")
    options = parser.parse_args()
    on_gpu = options.device.startswith("cuda")
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    torch.set_num_threads(1)
    q, k, v = (torch.randn(1, 1, 64, 64, device=options.device, dtype=torch.bfloat16 if on_gpu else torch.float32) for _ in range(3))
    given = [x.clone().requires_grad_() for x in (q, k, v)]
    d_out = torch.ones_like(q)
    program = sparsec.compile("local", head_dim=64, dtype=q.dtype, device=options.device)
    out, lse = program.forward(q, k, v)
    gradients = [torch.empty_like(x) for x in (q, k, v)]
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def with_gradients(function):
        def call():
            torch.autograd.grad(function(*given), given, d_out)
        return call

    rows = {
        "sparsec.torch.attention": lambda: sparsec.torch.attention(q, k, v, "local"),
        "... with parameters": lambda: sparsec.torch.attention(q, k, v, "local", params={"l": 128}),
        "... recording gradients": lambda: sparsec.torch.attention(*given, "local"),
        "... forward and backward": with_gradients(lambda *x: sparsec.torch.attention(*x, "local")),
        "sparsec.compile(...).forward": lambda: program.forward(q, k, v, out=out, lse=lse),
        "sparsec.compile(...).backward": lambda: program.backward(q, k, v, out, lse, d_out, dq=gradients[0], dk=gradients[1],
                                                                  dv=gradients[2]),
        "torch's scaled_dot_product_attention": lambda: sdpa(q, k, v, is_causal=True),
        "... recording gradients ": lambda: sdpa(*given, is_causal=True),
        "... forward and backward ": with_gradients(lambda *x: sdpa(*x, is_causal=True)),
        "an empty tensor of torch": lambda: torch.empty_like(q),
        "torch's autograd: a Function that does nothing": with_gradients(Nothing.apply),
    }
    if not options.no_flex:
        flex = flex_of(q)
        rows["torch's flex_attention, compiled"] = lambda: flex(q, k, v)
        if on_gpu:
            rows["... forward and backward  "] = with_gradients(flex)
    if on_gpu:
        rows["sparsec.torch.attention in a captured graph"] = graph_of(rows["sparsec.torch.attention"])
        rows["... forward and backward in a captured graph"] = graph_of(rows["... forward and backward"])
    name = torch.cuda.get_device_name() if on_gpu else program.device
    print(f"{name}, torch {torch.__version__}, sparsec {sparsec.__version__}; microseconds a call, median of {options.samples}")
    with torch.no_grad():
        plain = {text: median(call, options.samples, wait) for text, call in rows.items() if "gradients" not in text and "... forward" not in text and "Function" not in text}
    timed = {text: plain[text] if text in plain else median(rows[text], options.samples, wait) for text in rows}
    for text, microseconds in timed.items():
        bar = f"   bar {BARS[text]}" if on_gpu and text in BARS else ""
        print(f"{text:48} {microseconds:8.1f}{bar}")


if __name__ == "__main__":
    main()
