"""sparsec: sparse attention compiled from a pattern, on CPUs and NVIDIA GPUs.

    import numpy as np, sparsec
    attention = sparsec.compile("strided", params={"l": 128}, head_dim=64, dtype="f32", device="cpu")
    q = k = v = np.random.rand(1, 8, 4096, 64).astype("f32")     # [batch, heads, n, dim]
    out, lse = attention.forward(q, k, v)
    dq, dk, dv = attention.backward(q, k, v, out, lse, np.ones_like(out))

A pattern says which query may see which key. It is a name of the zoo ("strided"; `sparsec zoo` lists them), the path
of a pattern file, the text of one, the same as a dict, or expr="causal and local(64)".

compile    kernels for a device, whose forward and backward take arrays of numpy, torch and others
load       the same from a folder that the command compiled ahead, without the compiler
mask       who attends to whom, as an array of bool
stats      what a schedule computes and skips
show       a picture
verify     the kernels against a reference in float64
sparsec.torch has attention as an operation of PyTorch.
"""
import os
from typing import Any, Mapping, Sequence

from . import _library
from ._attention import Attention, compile_attention, load_attention
from ._command import Picture, show, stats, verify
from ._errors import Error, InputError, InternalError, MachineError, UnpreparedError
from ._library import Counters
from ._mask import mask
from ._names import Pattern, PatternLike

__version__: str = _library.library.sparsec_version().decode()
__all__ = ["Attention", "Counters", "Error", "InputError", "InternalError", "MachineError", "Pattern", "Picture",
           "UnpreparedError", "compile", "load", "mask", "show", "stats", "verify"]


def compile(pattern: "PatternLike | None" = None, *, expr: "str | None" = None,
            params: "Mapping[str, Any] | None" = None, layer: "int | None" = None,
            operations: "Sequence[str]" = ("forward", "backward"), dtype: Any = None, head_dim: int = 64,
            value_dim: "int | None" = None, heads: "int | None" = None,
            block: "int | tuple[int, int] | None" = None, order: "str | None" = None, split: "str | None" = None,
            n: "int | None" = None, target: "str | None" = None, device: Any = None, threads: int = 0) -> Attention:
    """Compiles a pattern's kernels for a device, for tensors of any batch, heads and length.

    pattern, expr: which pairs attend: one of both; params: values of the pattern's parameters; layer: of a pattern
        whose layers differ, which one, from 0.
    operations: "forward", "backward" or both.
    dtype: of q, k, v and out: "f32", "f16", "bf16", or numpy's or torch's; f32 on cpu and bf16 elsewhere by default.
    head_dim, value_dim: columns of q and k, and of v and out: multiples of 16 from 16 to 256; value_dim is head_dim
        by default.
    heads, n: of the model, and the length, in tokens, at which schedules are weighed (one for each entry; 4096). The
        kernels take any.
    block, order, split: the schedule, as the command's --block, --order and --split say it; chosen by default.
    device: "cpu", "cuda", "cuda:1", "sim" or a torch.device; None: cuda where there is one, else cpu. threads: of cpu,
        and that compile; 0: all. target: "cpu:avx2" and such, below what the device has.

    Raises InputError for what is wrong in the pattern (with its place) or an argument, MachineError for what this
    machine lacks.
    """
    return compile_attention(pattern, expr=expr, params=params, layer=layer, operations=operations, dtype=dtype,
                             head_dim=head_dim, value_dim=value_dim, heads=heads, block=block, order=order, split=split,
                             n=n, target=target, device=device, threads=threads)


def load(folder: "str | os.PathLike[str]", *, layer: int = 0, device: Any = None, threads: int = 0) -> Attention:
    """The kernels of a folder that `sparsec PATTERN -o FOLDER` wrote, for the best of its targets that the device runs.

    folder: its path. layer: of a pattern whose layers differ, the model's layer, from 0. device, threads: as in compile().
    No compiler is needed. (A run of `sparsec train` is loaded by sparsec.torch.load.)
    """
    return load_attention(folder, layer=layer, device=device, threads=threads)
