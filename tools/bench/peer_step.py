#!/usr/bin/env python3
"""A training step of the published models in PyTorch on the GPU at hand, beside `sparsec train CONFIG`.

    peer_step.py [CONFIG:ATTENTION:BATCH ...]      e.g. enwik8:fixed:4

CONFIG is enwik8 (95M), cifar10 (59M) or imagenet64 (152M). ATTENTION is `dense`, causal by SDPA, or by FlexAttention a pattern with the
names and parameters of ours: `fixed`, `strided` (half of the heads rows, half columns), `strided-interleaved` (layers in turn). A JSON row each: bf16
autocast, fused AdamW, every block under torch.compile, nothing recomputed, no dropout; the median of six steps after two.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

# width, layers, heads, columns of q and of k, inner columns, length, row of the table of positions, l of the patterns
CONFIGS = {
    "enwik8": (512, 30, 8, 512, 2048, 12288, 128, 128),
    "cifar10": (256, 128, 2, 128, 512, 3072, 96, 96),
    "imagenet64": (512, 48, 16, 512, 2048, 12288, 192, 128),
}
DEFAULT = ["enwik8:dense:4", "enwik8:fixed:4", "enwik8:strided:4"]
torch._dynamo.config.recompile_limit = 1024
torch._dynamo.config.accumulated_recompile_limit = 4096
flex = torch.compile(flex_attention)


class Block(nn.Module):
    def __init__(self, width, heads, qk, inner):
        super().__init__()
        self.heads, self.columns = heads, [qk, qk, width]
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 2 * qk + width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x, attend):
        batch, n, width = x.shape
        q, k, v = (each.view(batch, n, self.heads, -1).transpose(1, 2) for each in self.qkv(self.norm1(x)).split(self.columns, -1))
        x = x + self.out(attend(q, k, v).transpose(1, 2).reshape(batch, n, width))
        u = self.up(self.norm2(x))
        return x + self.down(u * torch.sigmoid(1.702 * u))


class Model(nn.Module):
    def __init__(self, width, layers, heads, qk, inner, n, row):
        super().__init__()
        self.token, self.row, self.column = nn.Embedding(256, width), nn.Embedding(n // row, width), nn.Embedding(row, width)
        self.blocks = nn.ModuleList(torch.compile(Block(width, heads, qk, inner)) for _ in range(layers))
        self.norm, self.logits = nn.LayerNorm(width), nn.Linear(width, 256, bias=False)
        self.entries = row

    def forward(self, x, y, attends):
        t = torch.arange(x.shape[1], device=x.device)
        h = self.token(x) + self.row(t // self.entries) + self.column(t % self.entries)
        for i, block in enumerate(self.blocks):
            h = block(h, attends[i % len(attends)])
        return F.cross_entropy(self.logits(self.norm(h)).view(-1, 256).float(), y.view(-1))


def attentions(name, heads, n, l):
    """Of the layers in turn."""
    if name == "dense":
        return [lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)]
    rows = lambda b, h, q, k: (k <= q) & (q - k < l)
    columns = lambda b, h, q, k: (k <= q) & ((q - k) % l == 0)
    predicates = {
        "fixed": [lambda b, h, q, k: (k <= q) & ((q // l == k // l) | (k % l >= l - 32))],
        "strided": [lambda b, h, q, k: (k <= q) & (((h % 2 == 0) & (q - k < l)) | ((h % 2 == 1) & ((q - k) % l == 0)))],
        "strided-interleaved": [columns, rows, rows, rows],
    }[name]
    made = [create_block_mask(each, None, heads if name == "strided" else None, n, n, device="cuda", _compile=True) for each in predicates]
    return [lambda q, k, v, mask=mask: flex(q, k, v, block_mask=mask) for mask in made]


def measure(config, attention, batch):
    width, layers, heads, qk, inner, n, row, l = CONFIGS[config]
    torch.manual_seed(0)
    model, attends = Model(width, layers, heads, qk, inner, n, row).cuda(), attentions(attention, heads, n, l)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    x, y = (torch.randint(0, 256, (batch, n), device="cuda") for _ in range(2))
    times = []
    for _ in range(8):
        torch.cuda.synchronize()
        begin = time.time()
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(x, y, attends)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        times.append(time.time() - begin)
    ms = 1e3 * statistics.median(times[2:])
    return {"ms": round(ms, 2), "tokens_per_second": round(batch * n / ms * 1e3), "peak_GB": round(torch.cuda.max_memory_allocated() / 1e9, 2)}


for each in sys.argv[1:] or DEFAULT:
    config, attention, batch = each.split(":")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        row = measure(config, attention, int(batch))
    except Exception as error:
        row = {"error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps({"peer": "PyTorch", "config": config, "attention": attention, "batch": int(batch), **row}), flush=True)
