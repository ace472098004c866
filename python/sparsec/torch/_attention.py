"""attention() and flex_attention(), with gradients."""
from typing import Any, Mapping

import torch
from torch import Tensor

from .._errors import InputError, expected
from .._names import LAYOUTS, PatternLike
from ._ops import backward_op, forward_op, spec_of


class _Attention(torch.autograd.Function):
    """Outside the operations: registered with them, gradients cost twice as much time."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, call: "tuple[Any, ...]",
                return_lse: bool) -> "Tensor | tuple[Tensor, Tensor]":
        out, lse = forward_op(q, k, v, *call)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.call = call
        ctx.set_materialize_grads(False)
        return (out, lse) if return_lse else out  # each output takes microseconds, and so does each argument

    @staticmethod
    def backward(ctx: Any, d_out: "Tensor | None", d_lse: "Tensor | None" = None) -> "tuple[Tensor | None, ...]":
        q, k, v, out, lse = ctx.saved_tensors
        if d_out is None:
            if d_lse is None:
                return None, None, None, None, None
            d_out = torch.zeros_like(out)
        # Where a gradient of the gradient may be wanted, it is refused; elsewhere that would cost time.
        gradient = _Backward.apply if torch.is_grad_enabled() else backward_op
        dq, dk, dv = gradient(d_out, d_lse, q, k, v, out, lse, *ctx.call)
        return dq, dk, dv, None, None


class _Backward(torch.autograd.Function):
    """The gradient, which has none of its own."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> "tuple[Tensor, Tensor, Tensor]":
        return backward_op(*arguments)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise NotImplementedError("sparsec.torch.attention: double backward (the gradient of its gradient) is not supported")


def attention(q: Tensor, k: Tensor, v: Tensor, pattern: PatternLike, *, params: "Mapping[str, Any] | None" = None,
              layer: "int | None" = None, inputs: "Mapping[str, Tensor] | None" = None, sinks: "Tensor | None" = None,
              scale: "float | None" = None, q0: "int | None" = None, layout: str = "bhsd",
              return_lse: bool = False) -> "Tensor | tuple[Tensor, Tensor]":
    """softmax(scale q k^T, over the pairs that attend) v, like q, with gradients by q, k and v.

    q: [batch, heads, nq, dim]; k: [batch, kv_heads, n, dim]; v: [batch, kv_heads, n, value_dim], where heads is a
        multiple of kv_heads; with layout="bshd" [batch, n, heads, dim]. bf16, f16 or f32, all alike, on CPU or CUDA.
    pattern: which query sees which key: a name of the zoo, a path, the text of a pattern file, the same as a dict, or
        a sparsec.Pattern. params, layer: its parameters; of a pattern whose layers differ, which one.
    scale: of scores, 1 / sqrt(dim) by default. q0: the position of query row 0, n - nq by default, in tokens.
    return_lse: (out, lse), with lse [batch, heads, nq] in f32: the natural log of the sum of exponentials of the scaled
        scores; -inf where a row attends to nothing. Gradients flow through it too.

    A tensor whose rows are not contiguous, or not at multiples of 16 bytes, is copied.
    """
    if inputs is not None:
        raise expected("inputs", "None (patterns have no run-time inputs yet)", type(inputs).__name__)
    if sinks is not None:
        raise expected("sinks", "None (there are no learned sinks yet)", type(sinks).__name__)
    if layout not in LAYOUTS:
        raise expected("layout", "bhsd or bshd", layout)
    spec = spec_of(pattern, params, layer)
    if torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad):
        made: "Tensor | tuple[Tensor, Tensor]" = _Attention.apply(q, k, v, (spec, scale, q0, layout), return_lse)
        return made
    out, lse = forward_op(q, k, v, spec, scale, q0, layout)
    return (out, lse) if return_lse else out


def flex_attention(query: Tensor, key: Tensor, value: Tensor, score_mod: Any = None,
                   block_mask: "PatternLike | None" = None, scale: "float | None" = None, enable_gqa: bool = False,
                   return_lse: bool = False, kernel_options: "Mapping[str, Any] | None" = None, *,
                   return_aux: Any = None) -> Any:
    """torch.nn.attention.flex_attention.flex_attention with a pattern in place of the mask; None is dense.

    Query row i stands at position i + n - nq, as everywhere in sparsec. return_aux: torch's AuxRequest of lse.
    Refused, because a kernel would not do it: score_mod, kernel_options, max_scores, masks of torch.
    """
    if score_mod is not None:
        raise expected("score_mod", "None (a pattern says who attends to whom, not by how much)", _name(score_mod))
    if kernel_options:
        raise expected("kernel_options", "None (they are of torch's kernels)", dict(kernel_options))
    if block_mask is None:
        block_mask = "dense"
    if type(block_mask).__name__ == "BlockMask":
        raise expected("block_mask", "a pattern of sparsec", "torch's BlockMask")
    if query.dim() == 4 and key.dim() == 4 and query.shape[1] != key.shape[1] and not enable_gqa:
        raise InputError(f"enable_gqa: expected True, since query has {query.shape[1]} heads and key {key.shape[1]}")
    out, lse = attention(query, key, value, block_mask, scale=scale, return_lse=True)
    if return_aux is not None:
        if return_aux.max_scores:
            raise expected("return_aux.max_scores", "False", True)
        from torch.nn.attention.flex_attention import AuxOutput
        return out, AuxOutput(lse=lse if return_aux.lse else None)
    return (out, lse) if return_lse else out


def _name(value: Any) -> str:
    return getattr(value, "__name__", type(value).__name__)
