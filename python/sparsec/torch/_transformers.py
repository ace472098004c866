"""Hugging Face's transformers: "sparsec" as an attention implementation, with the mask that the model asks for.

A model says its mask as a function of positions. It is compared with the patterns below, on all pairs where they are
few, else on rows spread over the queries, and the one that it equals is run; another is refused, never ignored.
"""
from typing import Any, Callable, Mapping, NamedTuple

import torch
from torch import Tensor

from .._errors import InputError, MachineError, expected
from .._names import Pattern, PatternLike
from ._attention import attention

_MOST_PAIRS = 1 << 22  # that are compared
_ROWS = 64  # of a longer mask

# Patterns that models have, over a size of theirs (a window, a chunk), and what they mean.
_KNOWN: "list[tuple[str, Callable[[Tensor, Tensor, int], Tensor]]]" = [
    ("causal", lambda q, k, size: k <= q),
    ("local({size})", lambda q, k, size: (k <= q) & (k > q - size)),
    ("causal and same({size})", lambda q, k, size: (k <= q) & (k // size == q // size)),
    ("k >= 0", lambda q, k, size: (k >= 0) & (q == q)),
    ("abs(q - k) <= {size}", lambda q, k, size: (q - k).abs() <= size),
    ("abs(q - k) < {size}", lambda q, k, size: (q - k).abs() < size),
]


class _Mask(NamedTuple):
    """What takes the place of a mask between the model and attention: a pattern, and where query row 0 stands."""
    pattern: PatternLike
    q0: int


def _known(mask_function: Any, batch: int, rows: Tensor, keys: int, q_offset: int, kv_offset: int, size: int) -> PatternLike:
    k = torch.arange(keys)
    index = torch.arange(batch)[:, None, None, None]
    wanted = mask_function(index, torch.zeros_like(index), (rows + q_offset)[:, None], k + kv_offset).cpu()
    q0 = q_offset - kv_offset
    for text, means in _KNOWN:
        if "size" in text and not size:
            continue
        if bool((wanted == means((rows + q0)[:, None], k, size)).all()):
            return Pattern(expr=text.format(size=size))
    raise InputError("attention_mask: expected causal, a window, chunks or all pairs, found another mask (packed sequences, "
                     "tokens that see forward): use sdpa or flex_attention")


def _sizes(config: Any, local_size: "int | None") -> int:
    return int(local_size or getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None) or 0)


def _mask_function(pattern: "PatternLike | None") -> "Callable[..., _Mask]":
    def mask(batch_size: int, q_length: int, kv_length: int, q_offset: Any = 0, kv_offset: int = 0,
             mask_function: Any = None, attention_mask: "Tensor | None" = None, local_size: "int | None" = None,
             config: Any = None, **_: Any) -> _Mask:
        if attention_mask is not None and not bool(attention_mask[:, -kv_length:].all()):
            raise expected("attention_mask", "no padding", "some tokens masked")
        q_offset = int(q_offset)
        if pattern is not None:
            return _Mask(pattern, q_offset - kv_offset)
        rows = torch.arange(q_length)
        if q_length * kv_length > _MOST_PAIRS:
            rows = torch.linspace(0, q_length - 1, _ROWS).round().long()
        with torch.device("cpu"):
            found = _known(mask_function, batch_size, rows, kv_length, q_offset, kv_offset, _sizes(config, local_size))
        return _Mask(found, q_offset - kv_offset)
    return mask


def _attention(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, dropout: float = 0.0,
               scaling: "float | None" = None, **more: Any) -> "tuple[Tensor, None]":
    if not isinstance(attention_mask, _Mask):
        raise expected("attention_mask", "what transformers' mask functions make", type(attention_mask).__name__)
    if dropout:
        raise expected("dropout", "0 (of attention weights)", dropout)
    for name in ("softcap", "s_aux", "position_bias"):
        if more.get(name) is not None:
            raise expected(name, "None", "a value, which sparsec's kernels do not have")
    out = attention(query, key, value, attention_mask.pattern, scale=scaling, q0=attention_mask.q0)
    assert isinstance(out, Tensor)
    return out.transpose(1, 2), None


def register(name: str = "sparsec", pattern: "PatternLike | None" = None, *,
             params: "Mapping[str, Any] | None" = None) -> None:
    """Adds an attention implementation to transformers: model.set_attn_implementation(name).

    The pattern is the model's own mask (causal, a sliding window, chunks, all pairs), layer by layer; or `pattern` with
    its params, in all layers, for a model that is to be made sparse. Refused by name: padding, packed sequences, dropout of
    weights, soft caps, sinks.
    """
    try:
        from transformers import AttentionInterface, AttentionMaskInterface
    except ImportError as failure:
        raise MachineError(f"transformers: expected a version with AttentionMaskInterface: {failure}") from None
    whole = Pattern(pattern, params) if pattern is not None and not isinstance(pattern, Pattern) else pattern
    AttentionInterface.register(name, _attention)
    AttentionMaskInterface.register(name, _mask_function(whole))
