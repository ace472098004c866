"""The operations of sparsec for torch's dispatcher: attention_forward and attention_backward, on CPU and CUDA.

A pattern is a string here (see spec_of), so that a compiled graph means the same in another process. Each kernel is
compiled on its first call, forward and backward apart. What a call needs beside addresses is kept for each thread.
"""
import threading
from typing import Any

import torch
from torch import Tensor

from .. import _library as c
from .._arrays import memory_of
from .._attention import BACKWARD_FIELDS, FORWARD_FIELDS, Attention, BoundCall, compile_attention
from .._errors import expected
from .._names import Pattern, PatternLike, layout_number, pattern_params, pattern_source, whole_pattern

_SEPARATOR, _EXPRESSION = "\x1f", "\x1e"
_MOST_BOUND = 1024  # calls that a thread keeps


def spec_of(pattern: PatternLike, params: Any, layer: "int | None") -> str:
    """The pattern as one string: a name, path or text, or an expression behind a mark; layer and parameters behind marks."""
    if type(pattern) is str and params is None and layer is None:
        return pattern
    whole = whole_pattern(pattern, None, params, layer)
    kind, text = pattern_source(whole)
    if kind == 2:
        text = _EXPRESSION + text
    if whole.params is None and whole.layer is None:
        return text
    return _SEPARATOR.join([text, "" if whole.layer is None else str(whole.layer), *pattern_params(whole.params)])


def _pattern_of(spec: str) -> "tuple[Pattern, dict[str, str]]":
    text, layer, *assignments = (spec + _SEPARATOR if _SEPARATOR not in spec else spec).split(_SEPARATOR)
    params = dict(each.split("=", 1) for each in assignments)
    number = int(layer) if layer else None
    if text.startswith(_EXPRESSION):
        return Pattern(expr=text[1:], layer=number), params
    return Pattern(text, layer=number), params


_programs: "dict[tuple[Any, ...], Attention]" = {}
_programs_lock = threading.Lock()


def _program(spec: str, operation: str, q: Tensor, v: Tensor, heads: int) -> Attention:
    device = str(q.device)
    key = (spec, operation, q.dtype, q.shape[-1], v.shape[-1], heads, device)
    with _programs_lock:
        program = _programs.get(key)
        if program is None:
            pattern, params = _pattern_of(spec)
            program = _programs[key] = compile_attention(
                pattern, expr=None, params=params, layer=None, operations=operation, dtype=q.dtype,
                head_dim=q.shape[-1], value_dim=v.shape[-1], heads=heads, block=None, order=None, split=None, n=None,
                target=None, device=device, threads=0)
        return program


def _is_tidy(tensor: Tensor) -> bool:
    """Whether kernels take the tensor as it lies: rows contiguous, at multiples of 16 bytes."""
    if tensor.dim() == 3:  # lse
        return tensor.stride(-1) == 1
    size = tensor.element_size()
    *strides, last = tensor.stride()
    return last == 1 and tensor.data_ptr() % 16 == 0 and not any(stride * size % 16 for stride in strides)


def _tidy(tensor: Tensor) -> Tensor:
    """The tensor, or a copy that kernels take."""
    return tensor if _is_tidy(tensor) else tensor.clone(memory_format=torch.contiguous_format)


class _Bound(threading.local):
    """What this thread has bound; a key is all that a call depends on but addresses. None: tensors have to be copied."""

    def __init__(self) -> None:
        self.calls: "dict[Any, BoundCall | None]" = {}


_bound = _Bound()
_NEW: Any = object()  # what is not bound yet


def _bind(key: Any, operation: int, tensors: "tuple[Tensor | None, ...]", spec: str, scale: "float | None",
          q0: "int | None", layout: str, stream: "int | None") -> "BoundCall | None":
    q, k, v = tensors[0], tensors[1], tensors[2]
    assert q is not None and k is not None and v is not None
    number = layout_number(layout)
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        if tensor.dim() != 4:
            raise expected(name, "4 dimensions", tensor.dim())
    if len(_bound.calls) >= _MOST_BOUND:
        _bound.calls.clear()
    call = None
    if all(tensor is None or _is_tidy(tensor) for tensor in tensors):
        fields = FORWARD_FIELDS if operation == c.FORWARD else BACKWARD_FIELDS
        heads = q.shape[1 if number == 0 else 2]
        program = _program(spec, "forward" if operation == c.FORWARD else "backward", q, v, heads)
        memories = [None if tensor is None else memory_of(field, tensor, None) for field, tensor in zip(fields, tensors)]
        call = program.bind(operation, fields, memories, number, scale, q0, stream)
    _bound.calls[key] = call
    return call


def _stream(tensor: Tensor) -> "int | None":
    return torch._C._cuda_getCurrentRawStream(tensor.device.index) if tensor.is_cuda else None


def _outputs(q: Tensor, v: Tensor, layout: str) -> "tuple[Tensor, Tensor]":
    """out, whose rows lie in memory as q's do, and lse."""
    batch, first, second, head_dim = q.shape
    columns = v.shape[-1]
    if columns == head_dim and q.stride(-1) == 1:
        out = torch.empty_like(q)
    else:
        out = torch.empty((batch, first, second, columns), dtype=q.dtype, device=q.device)
    rows = (batch, first, second) if layout == "bhsd" else (batch, second, first)
    return out, q.new_empty(rows, dtype=torch.float32)


def _gradient(of: Tensor) -> Tensor:
    return torch.empty_like(of) if of.stride(-1) == 1 else torch.empty(of.shape, dtype=of.dtype, device=of.device)


def attention_forward(q: Tensor, k: Tensor, v: Tensor, spec: str, scale: "float | None", q0: "int | None",
                      layout: str) -> "tuple[Tensor, Tensor]":
    """(out, lse)"""
    key = (spec, scale, q0, layout, q.shape, k.shape, v.shape, q.stride(), k.stride(), v.stride(), q.dtype, k.dtype,
           v.dtype, q.device, k.device, v.device)
    stream = _stream(q)
    if q.dim() != 4:
        raise expected("q", "4 dimensions", q.dim())
    out, lse = _outputs(q, v, layout)
    pointers = (q.data_ptr(), k.data_ptr(), v.data_ptr(), out.data_ptr(), lse.data_ptr())
    call = _bound.calls.get(key, _NEW)
    if call is _NEW:
        call = _bind(key, c.FORWARD, (q, k, v, out, lse), spec, scale, q0, layout, stream)
    if call is None or (pointers[0] | pointers[1] | pointers[2]) & 15:
        return attention_forward(_tidy(q), _tidy(k), _tidy(v), spec, scale, q0, layout)
    call.launch(pointers, q, stream)
    return out, lse


def attention_backward(d_out: Tensor, d_lse: "Tensor | None", q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor,
                       spec: str, scale: "float | None", q0: "int | None",
                       layout: str) -> "tuple[Tensor, Tensor, Tensor]":
    """(dq, dk, dv)"""
    key = (spec, scale, q0, layout, q.shape, k.shape, v.shape, q.stride(), k.stride(), v.stride(), q.dtype, q.device,
           out.stride(), lse.stride(), d_out.stride(), d_out.dtype, None if d_lse is None else d_lse.stride())
    stream = _stream(q)
    dq, dk, dv = _gradient(q), _gradient(k), _gradient(v)
    pointers = [q.data_ptr(), k.data_ptr(), v.data_ptr(), out.data_ptr(), lse.data_ptr(), d_out.data_ptr()]
    if d_lse is not None:
        pointers.append(d_lse.data_ptr())
    pointers += [dq.data_ptr(), dk.data_ptr(), dv.data_ptr()]
    call = _bound.calls.get(key, _NEW)
    if call is _NEW:
        call = _bind(key, c.BACKWARD, (q, k, v, out, lse, d_out, d_lse, dq, dk, dv), spec, scale, q0, layout, stream)
    if call is None or (pointers[0] | pointers[1] | pointers[2] | pointers[3] | pointers[5]) & 15:
        return attention_backward(_tidy(d_out), None if d_lse is None else _tidy(d_lse), _tidy(q), _tidy(k), _tidy(v),
                                  _tidy(out), _tidy(lse), spec, scale, q0, layout)
    call.launch(pointers, q, stream)
    return dq, dk, dv


def _fake_forward(q: Tensor, k: Tensor, v: Tensor, spec: str, scale: "float | None", q0: "int | None",
                  layout: str) -> "tuple[Tensor, Tensor]":
    return _outputs(q, v, layout)


def _fake_backward(d_out: Tensor, d_lse: "Tensor | None", q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor,
                   spec: str, scale: "float | None", q0: "int | None",
                   layout: str) -> "tuple[Tensor, Tensor, Tensor]":
    return _gradient(q), _gradient(k), _gradient(v)


_library = torch.library.Library("sparsec", "DEF")
_library.define("attention_forward(Tensor q, Tensor k, Tensor v, str pattern, float? scale, int? q0, str layout) "
                "-> (Tensor, Tensor)")
_library.define("attention_backward(Tensor d_out, Tensor? d_lse, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, "
                "str pattern, float? scale, int? q0, str layout) -> (Tensor, Tensor, Tensor)")
for _device in ("CPU", "CUDA"):
    _library.impl("attention_forward", attention_forward, _device)
    _library.impl("attention_backward", attention_backward, _device)
torch.library.register_fake("sparsec::attention_forward", _fake_forward, lib=_library)
torch.library.register_fake("sparsec::attention_backward", _fake_backward, lib=_library)

forward_op = torch.ops.sparsec.attention_forward.default
backward_op = torch.ops.sparsec.attention_backward.default
