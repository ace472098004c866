"""Sparse attention as an operation of PyTorch, on CPU and CUDA, with gradients.

    import torch, sparsec.torch
    out = sparsec.torch.attention(q, k, v, "strided", params={"l": 128})     # q, k, v [batch, heads, n, dim]

Works under torch.compile(fullgraph=True), torch.utils.checkpoint, DDP and CUDA graphs. Kernels are compiled on the
first call with a pattern, type and head dim.
"""
from ._attention import attention, flex_attention
from ._load import load
from ._transformers import register

__all__ = ["attention", "flex_attention", "load", "register"]
