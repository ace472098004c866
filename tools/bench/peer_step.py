#!/usr/bin/env python3
"""A training step of the 95M text model in PyTorch on the GPU at hand, beside `sparsec train enwik8`.

    peer_step.py [dense|fixed ...] [--batch 4]

A JSON row each: dense causal attention by SDPA, the fixed pattern (l = 128, c = 32) by FlexAttention. n = 12,288, bf16 autocast, fused
AdamW, every block under torch.compile; the median of six steps after two.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

N, L, C, WIDTH, HEADS, LAYERS = 12288, 128, 32, 512, 8, 30
torch._dynamo.config.recompile_limit = 256
flex = torch.compile(flex_attention)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, attend):
        batch = x.shape[0]
        q, k, v = (each.view(batch, N, HEADS, -1).transpose(1, 2) for each in self.qkv(self.norm1(x)).chunk(3, -1))
        x = x + self.out(attend(q, k, v).transpose(1, 2).reshape(batch, N, WIDTH))
        u = self.up(self.norm2(x))
        return x + self.down(u * torch.sigmoid(1.702 * u))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.row, self.column = nn.Embedding(256, WIDTH), nn.Embedding(N // L, WIDTH), nn.Embedding(L, WIDTH)
        self.blocks = nn.ModuleList(torch.compile(Block()) for _ in range(LAYERS))
        self.norm, self.logits = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 256, bias=False)

    def forward(self, x, y, attend):
        t = torch.arange(N, device=x.device)
        h = self.token(x) + self.row(t // L) + self.column(t % L)
        for block in self.blocks:
            h = block(h, attend)
        return F.cross_entropy(self.logits(self.norm(h)).view(-1, 256).float(), y.view(-1))


def dense():
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)


def fixed():
    mask = create_block_mask(lambda b, h, q, k: (k <= q) & ((q // L == k // L) | (k % L >= L - C)), None, None, N, N, device="cuda")
    return lambda q, k, v: flex(q, k, v, block_mask=mask)


def measure(name, batch):
    torch.manual_seed(0)
    model, attend = Model().cuda(), {"dense": dense, "fixed": fixed}[name]()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    x, y = (torch.randint(0, 256, (batch, N), device="cuda") for _ in range(2))
    times = []
    for _ in range(8):
        torch.cuda.synchronize()
        begin = time.time()
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(x, y, attend)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        times.append(time.time() - begin)
    ms = 1e3 * statistics.median(times[2:])
    print(json.dumps({"peer": name, "batch": batch, "ms": round(ms, 2), "tokens_per_second": round(batch * N / ms * 1e3)}), flush=True)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("attention", nargs="*", default=["dense", "fixed"])
parser.add_argument("--batch", type=int, default=4)
arguments = parser.parse_args()
for each in arguments.attention:
    measure(each, arguments.batch)
