"""A training loop of PyTorch: a byte model of two layers whose attention is sparsec's, on any text.

    python3 examples/python/train.py [--steps 60] [--device cuda] [--compile]
"""
import argparse
import math
import pathlib

import sparsec.torch
import torch
from torch import nn

LENGTH, WIDTH, HEADS = 256, 64, 4


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.output = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.ff = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, HEADS, -1)).unbind(-3)
        # [batch, n, heads, dim], as the product leaves it: nothing is transposed
        x = x + self.output(sparsec.torch.attention(q, k, v, "fixed", params={"l": 16, "c": 4}, layout="bshd").flatten(-2))
        return x + self.ff(x)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(256, WIDTH), nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.02)
        self.blocks, self.logits = nn.Sequential(Block(), Block()), nn.Linear(WIDTH, 256)

    def forward(self, tokens):
        return self.logits(self.blocks(self.tokens(tokens) + self.positions))


def batches(text, count, size, device, seed=0):
    random = torch.Generator().manual_seed(seed)
    for _ in range(count):
        starts = torch.randint(len(text) - LENGTH - 1, (size,), generator=random)
        rows = torch.stack([text[start:start + LENGTH + 1] for start in starts]).to(device)
        yield rows[:, :-1], rows[:, 1:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", default=pathlib.Path(__file__).resolve().parents[2] / "docs/decisions.md")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    text = torch.tensor(list(pathlib.Path(options.text).read_bytes()))
    torch.manual_seed(0)
    model = Model().to(options.device)
    step = torch.compile(model, fullgraph=True) if options.compile else model
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    # Kernels are of bf16 on GPUs: autocast gives them bf16.
    half = torch.autocast(options.device, torch.bfloat16, enabled=options.device != "cpu")
    for number, (tokens, targets) in enumerate(batches(text, options.steps, 4, options.device)):
        with half:
            loss = nn.functional.cross_entropy(step(tokens).flatten(0, 1).float(), targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if number % 10 == 0 or number == options.steps - 1:
            print(f"step {number:3}: {loss.item() / math.log(2):.2f} bits a byte")


if __name__ == "__main__":
    main()
