#!/usr/bin/env python3
"""enwik8-small in PyTorch, beside `sparsec train enwik8-small`: what its start and its rate do.

    peer_learning.py DATA [--steps 1500] NAME=VALUE[,NAME=VALUE...] ...

A line for each list of settings: bits of ten steps around some of them, and of the validation split
with half a window of context. Settings, and what they are without a word (PyTorch's own start):

    mask=causal|fixed   fixed has l = 32, c = 8
    embedding=1         deviation of the token table; the tables of positions have its 1 / sqrt(2)
    weight=torch        W: deviation W / sqrt(inputs), in place of Linear's uniform start
    output=torch        likewise of the output matrix; 0: zeros, as published
    branches=1          weights that end a residual branch are multiplied by this
    bias=torch          0: zeros
    rate=1e-3  warmup=10  beta2=0.999

A GPU takes 10 s for 1,500 steps. The data is gzip's.
"""
import argparse
import gzip
import math

import torch
import torch.nn.functional as F
from torch import nn

N, WIDTH, HEADS, LAYERS, SCHEDULE = 1024, 128, 4, 4, 3000
START = {"mask": "causal", "embedding": "1", "weight": "torch", "output": "torch", "branches": "1",
         "bias": "torch", "rate": "1e-3", "warmup": "10", "beta2": "0.999"}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.inner, self.outer = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, mask):
        batch, tokens, _ = x.shape
        q, k, v = (t.view(batch, tokens, HEADS, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).chunk(3, -1))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, tokens, WIDTH))
        u = self.inner(self.norm2(x))
        return x + self.outer(u * torch.sigmoid(1.702 * u))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.row, self.column = nn.Embedding(257, WIDTH), nn.Embedding(32, WIDTH), nn.Embedding(32, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 256, bias=False)

    def forward(self, x, y, mask):
        at = torch.arange(N, device=x.device)
        h = self.token(x) + self.row(at // 32) + self.column(at % 32)
        for block in self.blocks:
            h = block(h, mask)
        return F.cross_entropy(self.out(self.norm(h)).transpose(1, 2), y, reduction="none")


@torch.no_grad()
def begin(model, start):
    deviation = float(start["embedding"])
    model.token.weight.normal_(0, deviation)
    model.row.weight.normal_(0, deviation / math.sqrt(2))
    model.column.weight.normal_(0, deviation / math.sqrt(2))
    if start["output"] != "torch":
        model.out.weight.normal_(0, 1).mul_(float(start["output"]) / math.sqrt(WIDTH))
    for block in model.blocks:
        for linear in (block.qkv, block.out, block.inner, block.outer):
            if start["weight"] != "torch":
                linear.weight.normal_(0, float(start["weight"]) / math.sqrt(linear.in_features))
            if start["bias"] != "torch":
                linear.bias.zero_()
        block.out.weight.mul_(float(start["branches"]))
        block.outer.weight.mul_(float(start["branches"]))


def batch(tokens, places):
    y = torch.stack([tokens[at:at + N] for at in places])
    return torch.cat([torch.full_like(y[:, :1], 256), y[:, :-1]], 1), y


def run(start, steps, text, device):
    torch.manual_seed(0)
    model = Model()
    begin(model, start)
    model.to(device)
    at = torch.arange(N, device=device)
    q, k = at[:, None], at[None, :]
    mask = (k <= q) & ((q // 32 == k // 32) | (k % 32 >= 24)) if start["mask"] == "fixed" else None
    groups = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.01},
              {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, float(start["beta2"])))
    train, valid = text[:int(0.9 * len(text))], text[int(0.9 * len(text)):int(0.95 * len(text))]
    order, last = torch.Generator().manual_seed(1), []
    for step in range(1, steps + 1):
        rate = float(start["rate"]) * min(1, step / int(start["warmup"])) * (1 + math.cos(math.pi * step / SCHEDULE)) / 2
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = model(*batch(train, torch.randint(0, len(train) - N, (4,), generator=order).tolist()), mask).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        last.append(loss.detach())
        if step in (30, 100, 300) or step % 500 == 0:
            print(f" {step}: {torch.stack(last[-10:]).mean().item() / math.log(2):.2f}", end="", flush=True)
    with torch.no_grad():
        scored = [model(*batch(valid, range(at, at + 8 * N // 2, N // 2)), mask)[:, N // 2:]
                  for at in range(0, 64 * N, 4 * N)]
    print(f"  valid: {torch.stack(scored).mean().item() / math.log(2):.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("settings", nargs="*", default=["mask=causal"])
    asked = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    text = torch.frombuffer(bytearray(gzip.open(asked.data).read()), dtype=torch.uint8).long().to(device)
    for settings in asked.settings:
        start = START | dict(each.split("=") for each in settings.split(","))
        print(settings, end=":", flush=True)
        run(start, asked.steps, text, device)


if __name__ == "__main__":
    main()
