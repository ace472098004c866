#!/usr/bin/env python3
"""Attention forward and backward of peers on the GPU at hand, beside `sparsec bench --op forward,backward`.

    peer_backward.py [--masks dense,causal,local,strided,strided-merged,fixed] [--n 12288] [--heads 16] [--head-dim 64,128]

A JSON row each: FlexAttention on every mask, and cuDNN and FlashAttention-2 through PyTorch's SDPA on dense and causal. bf16,
batch 1, medians by CUDA events; backward is torch.autograd.grad over one retained graph, with what Python costs to launch it.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

torch._dynamo.config.cache_size_limit = 200
L, C = 128, 32  # of the zoo's strided and fixed
MASKS = {
    "dense": None,
    "causal": lambda b, h, q, k: q >= k,
    "local": lambda b, h, q, k: (q >= k) & (q - k < L),
    "strided": lambda b, h, q, k: (q >= k) & (((h % 2 == 0) & (q - k < L)) | ((h % 2 == 1) & ((q - k) % L == 0))),
    "strided-merged": lambda b, h, q, k: (q >= k) & ((q - k < L) | ((q - k) % L == 0)),
    "fixed": lambda b, h, q, k: (q >= k) & ((q // L == k // L) | (k % L >= L - C)),
}


def timed(call, budget=0.4):
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    times, begin = [], time.time()
    while len(times) < 7 or (time.time() - begin < budget and len(times) < 40):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def measure(peer, pattern, call, inputs, gradient):
    row = {"peer": peer, "pattern": pattern, "n": gradient.shape[2], "head_dim": gradient.shape[3]}
    try:
        out = call()
        backward = lambda: torch.autograd.grad(out, inputs, gradient, retain_graph=True)
        with torch.no_grad():
            row["forward_ms"] = round(timed(call), 4)
        row["backward_ms"] = round(timed(backward), 4)
    except Exception as error:
        row["error"] = str(error)[:200]
    print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--masks", default=",".join(MASKS))
    parser.add_argument("--n", type=int, default=12288)
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--head-dim", default="64,128")
    asked = parser.parse_args()
    flex = torch.compile(flex_attention, dynamic=False)
    for dim in map(int, asked.head_dim.split(",")):
        q, k, v = (torch.randn(1, asked.heads, asked.n, dim, device="cuda", dtype=torch.bfloat16, requires_grad=True)
                   for _ in range(3))
        gradient = torch.randn_like(q)
        for name in asked.masks.split(","):
            if name in ("dense", "causal"):
                for peer, backend in (("cuDNN", SDPBackend.CUDNN_ATTENTION), ("FA2", SDPBackend.FLASH_ATTENTION)):
                    def sdpa():
                        with sdpa_kernel(backend):
                            return F.scaled_dot_product_attention(q, k, v, is_causal=name == "causal")
                    measure(peer, name, sdpa, (q, k, v), gradient)
            mask = MASKS[name]
            heads = asked.heads if name == "strided" else None
            blocks = create_block_mask(mask, None, heads, asked.n, asked.n, device="cuda") if mask else None
            measure("FlexAttention", name, lambda: flex(q, k, v, block_mask=blocks), (q, k, v), gradient)


if __name__ == "__main__":
    main()
