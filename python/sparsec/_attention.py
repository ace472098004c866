"""Attention over a pattern's pairs: kernels compiled for a device, and their launches."""
import ctypes
import os
import sys
import threading
from typing import Any, Iterable, Mapping, Sequence

from . import _library as c
from ._arrays import Memory, address_and_key, copy_of, empty, handed_out, is_numpy, is_torch, memory_of
from ._device import Device, open_device
from ._errors import InputError, expected
from ._names import DTYPES, PatternLike, dtype_name, layout_number, pattern_struct, whole_pattern
from ._workspace import workspace_of

_OPERATIONS = {"forward": c.FORWARD, "backward": c.BACKWARD}
FORWARD_FIELDS = ("q", "k", "v", "out", "lse")
BACKWARD_FIELDS = ("q", "k", "v", "out", "lse", "dout", "dlse", "dq", "dk", "dv")
_ARGUMENTS = {"dout": "d_out", "dlse": "d_lse"}  # what the header calls otherwise
_WRITTEN = {c.FORWARD: ("out", "lse"), c.BACKWARD: ("dq", "dk", "dv")}
_TENSOR_WORDS = ctypes.sizeof(c.Tensor) // 8
_MOST_BOUND = 256  # calls that a thread keeps


class _Plan:
    """sparsec_plan, and the bytes of workspace that its launches need."""

    def __init__(self, program: ctypes.c_void_p, shape: c.Shape, operations: int, stream: "int | None"):
        self.handle = ctypes.c_void_p()
        c.check(c.library.sparsec_prepare(program, ctypes.byref(shape), stream, ctypes.byref(self.handle)))
        self.workspace = {}
        for operation in (c.FORWARD, c.BACKWARD):
            if operations & operation:
                size = ctypes.c_size_t()
                c.check(c.library.sparsec_workspace_size(self.handle, operation, ctypes.byref(size)))
                self.workspace[operation] = size.value

    def __del__(self) -> None:
        if self.handle:
            c.library.sparsec_release_plan(self.handle)


def torch_stream(array: Any) -> int:
    """The stream that torch is on, for its tensors; else the default stream."""
    return int(sys.modules["torch"].cuda.current_stream(array.device).cuda_stream) if is_torch(array) else 0


class BoundCall:
    """A call whose tensors lack only their addresses. For one thread at a time."""

    def __init__(self, device: Device, plan: _Plan, operation: int, fields: "Sequence[str]",
                 memories: "Sequence[Memory | None]", layout: int, scale: "float | None"):
        self.device = device
        self.plan = plan
        kind = c.ForwardCall if operation == c.FORWARD else c.BackwardCall
        self.function = c.library.sparsec_forward if operation == c.FORWARD else c.library.sparsec_backward
        self.workspace_bytes = plan.workspace[operation]
        self.struct = kind(size=ctypes.sizeof(kind), layout=layout, has_scale=scale is not None, scale=scale or 0,
                           workspace_bytes=self.workspace_bytes)
        given = [(field, memory) for field, memory in zip(fields, memories) if memory is not None]
        self.tensors = (c.Tensor * len(given))()
        for tensor, (field, memory) in zip(self.tensors, given):
            rank = len(memory.shape)
            tensor.device, tensor.ndim, tensor.dtype = c.DLDevice(*memory.device), rank, c.DLDataType(*memory.dtype, 1)
            tensor.shape, tensor.strides = (ctypes.c_int64 * rank)(*memory.shape), (ctypes.c_int64 * rank)(*memory.strides)
            setattr(self.struct, field, ctypes.pointer(tensor))
        self.words = memoryview(self.tensors).cast("B").cast("Q")  # a tensor's first is its address
        self.reference = ctypes.byref(self.struct)
        self.handle = plan.handle

    def launch(self, addresses: "Iterable[int]", like: Any, stream: "int | None",
               counters: "c.Counters | None" = None) -> None:
        """Runs it on tensors at these addresses. A workspace is of the kind of `like`."""
        words, at = self.words, 0
        for address in addresses:
            words[at] = address
            at += _TENSOR_WORDS
        struct = self.struct
        if self.workspace_bytes:
            workspace = workspace_of(self.workspace_bytes, like, self.device, stream)
            struct.workspace = workspace.address
        struct.stream = stream
        if counters is not None:
            struct.counters = ctypes.pointer(counters)
            status = self.function(self.handle, self.reference)
            struct.counters = None
            c.check(status)
            return
        status = self.function(self.handle, self.reference)
        if status:
            c.check(status)


class _Bound(threading.local):
    """What this thread has bound; a key is all that a call depends on but addresses."""

    def __init__(self) -> None:
        self.calls: "dict[Any, BoundCall]" = {}


class Attention:
    """Sparse attention on a device: softmax(scale q k^T, over the pairs that attend) v, and its gradients.

    Made by sparsec.compile(). Shapes, with layout="bhsd" (and "bshd" for [batch, n, heads, dim]):

        q, out, d_out, dq       [batch, heads, nq, head_dim], of out and d_out value_dim
        k, dk                   [batch, kv_heads, n, head_dim]     heads is a multiple of kv_heads
        v, dv                   [batch, kv_heads, n, value_dim]
        lse, d_lse              [batch, heads, nq], f32: the natural log of the sum of exponentials of the scaled scores

    Query row i stands at position i + q0; q0 is n - nq unless given. A row that attends to nothing has output 0 and
    lse -inf. Any array with DLPack will do (numpy, torch, jax, cupy), and results are of the kind of q. Arrays lie on
    `device`, their last dimension is contiguous, and addresses and strides are multiples of 16 bytes. numpy's are copied to
    a device that is not the cpu, and results back, in any strides: that takes its time. Any thread may call. Two runs give
    the same bits.
    """

    def __init__(self, program: ctypes.c_void_p, device: Device, operations: int):
        self._program: "ctypes.c_void_p | None" = program
        self._device = device
        self._operations = operations
        self._facts = c.json_of(c.library.sparsec_describe_program, program)
        self._plans: "dict[tuple[Any, ...], _Plan]" = {}
        self._bound = _Bound()
        self._dl_device = (device.facts["dlpack_type"], device.facts["dlpack_id"])

    @property
    def pattern(self) -> str:
        """The pattern's name."""
        return str(self._facts["pattern"])

    @property
    def device(self) -> str:
        """"cpu", "cuda", "cuda:1" or "sim"."""
        return str(self._device.facts["name"])

    @property
    def dtype(self) -> str:
        """Of q, k, v and out: "f32", "f16" or "bf16"."""
        return str(self._facts["dtype"])

    @property
    def head_dim(self) -> int:
        """Columns of q and k."""
        return int(self._facts["head_dim"])

    @property
    def value_dim(self) -> int:
        """Columns of v and out."""
        return int(self._facts["value_dim"])

    @property
    def kernels(self) -> "dict[str, Any]":
        """What was compiled: the target, and of each head its predicate, blocks and token orders."""
        return dict(self._facts)

    def __repr__(self) -> str:
        state = "" if self._program else ", closed"
        return f"<sparsec.Attention {self.pattern}: {self.dtype}, head dim {self.head_dim}, on {self.device}{state}>"

    def close(self) -> None:
        """Releases the kernels; later calls are errors. No launch may be running."""
        if self._program:
            self._plans.clear()
            self._bound = _Bound()
            c.library.sparsec_release_program(self._program)
            self._program = None

    def __enter__(self) -> "Attention":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_program", None):
            self.close()

    def forward(self, q: Any, k: Any, v: Any, *, out: Any = None, lse: Any = None, scale: "float | None" = None,
                q0: "int | None" = None, layout: str = "bhsd", stream: "int | None" = None,
                counters: "c.Counters | None" = None) -> "tuple[Any, Any]":
        """(out, lse) of q, k and v; written into `out` and `lse` where they are given.

        scale: of scores, 1 / sqrt(head_dim) by default. stream: of a GPU, a CUstream as an integer; torch's current
        stream for torch tensors, else the default stream. counters: filled in with what the launch went over.
        """
        if out is None:
            out = empty(q, self._rows_like(q, layout, self.value_dim), None, self._device)
        if lse is None:
            lse = empty(q, self._row_sums_like(q, layout), "f32", self._device)
        self._launch(c.FORWARD, FORWARD_FIELDS, (q, k, v, out, lse), layout, scale, q0, stream, counters)
        return handed_out(out, q), handed_out(lse, q)

    def backward(self, q: Any, k: Any, v: Any, out: Any, lse: Any, d_out: Any, *, d_lse: Any = None, dq: Any = None,
                 dk: Any = None, dv: Any = None, scale: "float | None" = None, q0: "int | None" = None,
                 layout: str = "bhsd", stream: "int | None" = None,
                 counters: "c.Counters | None" = None) -> "tuple[Any, Any, Any]":
        """(dq, dk, dv), the gradients by q, k and v of a function whose gradients by out and lse are d_out and d_lse.

        out and lse are forward's; d_lse None is a function that does not depend on lse; scale and q0 as in forward.
        The gradients are written into dq, dk and dv where they are given.
        """
        if dq is None:
            dq = empty(q, self._shape("q", q), None, self._device)
        if dk is None:
            dk = empty(q, self._shape("k", k), None, self._device)
        if dv is None:
            dv = empty(q, self._shape("v", v), None, self._device)
        self._launch(c.BACKWARD, BACKWARD_FIELDS, (q, k, v, out, lse, d_out, d_lse, dq, dk, dv), layout, scale, q0,
                     stream, counters)
        return handed_out(dq, q), handed_out(dk, q), handed_out(dv, q)

    def bind(self, operation: int, fields: "Sequence[str]", memories: "Sequence[Memory | None]", layout: int,
             scale: "float | None", q0: "int | None", stream: "int | None") -> BoundCall:
        """A call for tensors that lie like these; `fields` are those of the call's struct."""
        if not self._program:
            raise InputError(f"attention: expected an open one, found {self!r}")
        if not self._operations & operation:
            name = "forward" if operation == c.FORWARD else "backward"
            raise InputError(f"attention: expected one compiled with {name}, found operations="
                             f"{tuple(self._facts['operations'])}")
        q, k = memories[0], memories[1]
        assert q is not None and k is not None
        for name, memory in (("q", q), ("k", k)):
            if len(memory.shape) != 4:
                raise expected(name, "4 dimensions", len(memory.shape))
        head, row = (1, 2) if layout == 0 else (2, 1)
        key = (q.shape[0], q.shape[head], k.shape[head], q.shape[row], k.shape[row], q0)
        plan = self._plans.get(key)
        if plan is None:
            shape = c.Shape(size=ctypes.sizeof(c.Shape), batch=key[0], heads=key[1], kv_heads=key[2], nq=key[3],
                            n=key[4], q0=q0 or 0, has_q0=q0 is not None)
            if key[2] == 0:
                raise expected("k", "kv heads, a divisor of the heads of q", 0)
            plan = self._plans.setdefault(key, _Plan(self._program, shape, self._operations, stream))
        return BoundCall(self._device, plan, operation, fields, memories, layout, scale)

    def _launch(self, operation: int, fields: "Sequence[str]", arrays: "Sequence[Any]", layout: str,
                scale: "float | None", q0: "int | None", stream: "int | None", counters: "c.Counters | None") -> None:
        if stream is None and self._dl_device[0] == c.DL_CUDA:
            stream = torch_stream(arrays[0])
        if self._dl_device[0] != c.DL_CPU and is_numpy(arrays[0]):
            self._launch_copies(operation, fields, arrays, layout, scale, q0, stream, counters)
            return
        addresses: "list[int]" = []
        keys: "list[Any]" = []
        keep = []
        for field, array in zip(fields, arrays):
            name = _ARGUMENTS.get(field, field)
            if array is None:
                if field != "dlse":
                    raise expected(name, "an array", "NoneType")
                keys.append(None)
                continue
            address, key, alive = address_and_key(name, array, field in _WRITTEN[operation], stream)
            addresses.append(address)
            keys.append(key)
            keep.append(alive)
        bound = self._bound.calls
        whole = (operation, layout, scale, q0, *keys)
        call = bound.get(whole)
        if call is None:
            memories = [None if array is None else memory_of(_ARGUMENTS.get(field, field), array, stream)
                        for field, array in zip(fields, arrays)]
            if len(bound) >= _MOST_BOUND:
                bound.clear()
            call = bound[whole] = self.bind(operation, fields, memories, layout_number(layout), scale, q0, stream)
        call.launch(addresses, arrays[0], stream, counters)

    def _launch_copies(self, operation: int, fields: "Sequence[str]", arrays: "Sequence[Any]", layout: str, scale: "float | None",
                       q0: "int | None", stream: "int | None", counters: "c.Counters | None") -> None:
        """On numpy's arrays, which lie on no device but the cpu."""
        written = _WRITTEN[operation]
        copies = [copy_of(_ARGUMENTS.get(field, field), array, field in written, self._device) if is_numpy(array) else array
                  for field, array in zip(fields, arrays)]
        self._launch(operation, fields, copies, layout, scale, q0, stream, counters)
        c.check(c.library.sparsec_synchronize(self._device.handle))
        for field, array, copy in zip(fields, arrays, copies):
            if field in written and copy is not array:
                copy.download(array)

    def _shape(self, name: str, array: Any) -> "tuple[int, ...]":
        shape = getattr(array, "shape", None)
        if shape is None:
            raise expected(name, "an array", type(array).__name__)
        if len(shape) != 4:
            raise expected(name, "4 dimensions", len(shape))
        return tuple(shape)

    def _rows_like(self, q: Any, layout: str, columns: int) -> "tuple[int, ...]":
        layout_number(layout)
        return (*self._shape("q", q)[:3], columns)

    def _row_sums_like(self, q: Any, layout: str) -> "tuple[int, ...]":
        batch, heads, rows, _ = self._shape("q", q)
        if layout_number(layout) == 1:
            heads, rows = rows, heads
        return batch, heads, rows


def compile_attention(pattern: "PatternLike | None", *, expr: "str | None", params: "Mapping[str, Any] | None",
                      layer: "int | None", operations: "Sequence[str]", dtype: Any, head_dim: int,
                      value_dim: "int | None", heads: "int | None", block: "int | tuple[int, int] | None",
                      order: "str | None", split: "str | None", n: "int | None", target: "str | None", device: Any,
                      threads: int) -> Attention:
    """sparsec.compile()."""
    wanted = 0
    for name in (operations,) if isinstance(operations, str) else operations:
        if name not in _OPERATIONS:
            raise expected("operations", "forward and backward", name)
        wanted |= _OPERATIONS[name]
    if not wanted:
        raise expected("operations", "forward, backward or both", "none")
    block_q, block_k = block if isinstance(block, tuple) else (block or 0, block or 0)
    opened = open_device(device, threads)
    options = c.CompileOptions(
        size=ctypes.sizeof(c.CompileOptions), operations=wanted, dtype=DTYPES[dtype_name(dtype)] if dtype else 0,
        head_dim=head_dim, value_dim=value_dim or 0, heads=heads or 0, block_q=block_q, block_k=block_k,
        threads=threads, n=n or 0, target=_bytes(target), order=_bytes(order), split=_bytes(split))
    program = ctypes.c_void_p()
    source = pattern_struct(whole_pattern(pattern, expr, params, layer))
    c.check(c.library.sparsec_compile(opened.handle, ctypes.byref(source), ctypes.byref(options), ctypes.byref(program)))
    return Attention(program, opened, wanted)


def load_attention(folder: "str | os.PathLike[str]", *, layer: int, device: Any, threads: int) -> Attention:
    """sparsec.load()."""
    opened = open_device(device, threads)
    program = ctypes.c_void_p()
    c.check(c.library.sparsec_load(opened.handle, os.fspath(folder).encode(), layer, ctypes.byref(program)))
    facts = c.json_of(c.library.sparsec_describe_program, program)
    return Attention(program, opened, sum(_OPERATIONS[name] for name in facts["operations"]))


def _bytes(text: "str | None") -> "bytes | None":
    return None if text is None else text.encode()
