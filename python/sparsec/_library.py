"""libsparsec through ctypes: its structs, its functions, and errors as exceptions.

The contract is runtime/c/sparsec.h, whose structs are here field by field (a test compares them).
The library is $SPARSEC_LIBRARY, or the one inside the package.
"""
import ctypes
import json
import os
import pathlib
import re
from ctypes import (POINTER, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint64,
                    c_void_p)
from typing import Any

from ._errors import BY_STATUS, InternalError, MachineError

FORWARD, BACKWARD = 1, 2
DL_CPU, DL_CUDA, DL_SIM = 1, 2, 12


class DeviceOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("threads", c_int32)]


class Pattern(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("kind", c_int32), ("has_layer", c_int32), ("text", c_char_p),
                ("params", POINTER(c_char_p)), ("param_count", c_size_t), ("layer", c_int64)]


class CompileOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("operations", c_int32), ("dtype", c_int32), ("head_dim", c_int32),
                ("value_dim", c_int32), ("heads", c_int32), ("block_q", c_int32), ("block_k", c_int32),
                ("threads", c_int32), ("n", c_int64), ("target", c_char_p), ("order", c_char_p), ("split", c_char_p)]


class Shape(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("batch", c_int64), ("heads", c_int64), ("kv_heads", c_int64), ("nq", c_int64),
                ("n", c_int64), ("q0", c_int64), ("has_q0", c_int32)]


class DLDevice(ctypes.Structure):
    _fields_ = [("device_type", c_int32), ("device_id", c_int32)]


class DLDataType(ctypes.Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class Tensor(ctypes.Structure):
    """DLPack's DLTensor."""
    _fields_ = [("data", c_void_p), ("device", DLDevice), ("ndim", c_int32), ("dtype", DLDataType),
                ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)), ("byte_offset", c_uint64)]


TensorPointer = POINTER(Tensor)


class Counters(ctypes.Structure):
    """What a launch went over, in blocks of all heads and batches; filled in by forward and backward, counters=.

    executed: blocks that kernels computed; full: of those the ones without a mask; skipped: the rest of all pairs of blocks.
    """
    _fields_ = [("size", c_size_t), ("executed", c_int64), ("skipped", c_int64), ("full", c_int64)]

    def __init__(self) -> None:
        super().__init__(size=ctypes.sizeof(Counters))

    def __repr__(self) -> str:
        return f"Counters(executed={self.executed}, skipped={self.skipped}, full={self.full})"


class ForwardCall(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("q", TensorPointer), ("k", TensorPointer), ("v", TensorPointer),
                ("out", TensorPointer), ("lse", TensorPointer), ("workspace", c_void_p), ("workspace_bytes", c_size_t),
                ("stream", c_void_p), ("layout", c_int32), ("has_scale", c_int32), ("scale", c_float),
                ("counters", POINTER(Counters))]


class BackwardCall(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("q", TensorPointer), ("k", TensorPointer), ("v", TensorPointer),
                ("out", TensorPointer), ("lse", TensorPointer), ("dout", TensorPointer), ("dlse", TensorPointer),
                ("dq", TensorPointer), ("dk", TensorPointer), ("dv", TensorPointer), ("workspace", c_void_p),
                ("workspace_bytes", c_size_t), ("stream", c_void_p), ("layout", c_int32), ("has_scale", c_int32),
                ("scale", c_float), ("counters", POINTER(Counters))]


class DecodeCall(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("q", TensorPointer), ("k", TensorPointer), ("v", TensorPointer),
                ("lengths", TensorPointer), ("out", TensorPointer), ("lse", TensorPointer), ("workspace", c_void_p),
                ("workspace_bytes", c_size_t), ("stream", c_void_p), ("layout", c_int32), ("has_scale", c_int32),
                ("scale", c_float)]


class Block(ctypes.Structure):
    _fields_ = [("head", c_int32), ("row", c_int32), ("column", c_int32)]


class MassCall(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("q", TensorPointer), ("k", TensorPointer), ("lse", TensorPointer), ("mass", TensorPointer),
                ("squares", TensorPointer), ("workspace", c_void_p), ("workspace_bytes", c_size_t), ("stream", c_void_p),
                ("layout", c_int32), ("has_scale", c_int32), ("scale", c_float)]


# The header's struct of each of the above.
STRUCTS = {"sparsec_device_options": DeviceOptions, "sparsec_pattern": Pattern,
           "sparsec_compile_options": CompileOptions, "sparsec_shape": Shape, "sparsec_tensor": Tensor,
           "sparsec_forward_call": ForwardCall, "sparsec_backward_call": BackwardCall,
           "sparsec_decode_call": DecodeCall, "sparsec_mass_call": MassCall, "sparsec_block": Block,
           "sparsec_counters": Counters}

Text = POINTER(c_char_p)
_FUNCTIONS = {
    "sparsec_open_device": [c_char_p, POINTER(DeviceOptions), POINTER(c_void_p)],
    "sparsec_describe_device": [c_void_p, Text],
    "sparsec_allocate": [c_void_p, c_size_t, POINTER(c_void_p)],
    "sparsec_free": [c_void_p, c_void_p],
    "sparsec_copy_to_device": [c_void_p, c_void_p, c_void_p, c_size_t],
    "sparsec_copy_to_host": [c_void_p, c_void_p, c_void_p, c_size_t],
    "sparsec_synchronize": [c_void_p],
    "sparsec_mask": [POINTER(Pattern), c_int64, c_int64, c_int64, c_int64, c_void_p, c_size_t],
    "sparsec_describe_pattern": [POINTER(Pattern), Text],
    "sparsec_compile": [c_void_p, POINTER(Pattern), POINTER(CompileOptions), POINTER(c_void_p)],
    "sparsec_load": [c_void_p, c_char_p, c_int64, POINTER(c_void_p)],
    "sparsec_describe_program": [c_void_p, Text],
    "sparsec_prepare": [c_void_p, POINTER(Shape), c_void_p, POINTER(c_void_p)],
    "sparsec_workspace_size": [c_void_p, c_int32, POINTER(c_size_t)],
    "sparsec_forward": [c_void_p, POINTER(ForwardCall)],
    "sparsec_backward": [c_void_p, POINTER(BackwardCall)],
    "sparsec_decode": [c_void_p, POINTER(DecodeCall)],
    "sparsec_mass": [c_void_p, POINTER(MassCall)],
    "sparsec_mass_blocks": [c_void_p, POINTER(Block), POINTER(c_size_t)],
}
_RELEASES = ["sparsec_release_device", "sparsec_release_program", "sparsec_release_plan"]


def _open() -> ctypes.CDLL:
    named = os.environ.get("SPARSEC_LIBRARY")
    path = pathlib.Path(named) if named else pathlib.Path(__file__).parent / "lib/libsparsec.so"
    try:
        library = ctypes.CDLL(str(path))
    except OSError as failure:
        raise MachineError(f"libsparsec cannot be opened: {failure}") from None
    for name, arguments in _FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_int32
    for name in _RELEASES:
        function = getattr(library, name)
        function.argtypes, function.restype = [c_void_p], None
    library.sparsec_error.argtypes, library.sparsec_error.restype = [], c_char_p
    library.sparsec_version.argtypes, library.sparsec_version.restype = [], c_char_p
    library.sparsec_free_text.argtypes, library.sparsec_free_text.restype = [c_void_p], None
    return library


library = _open()


# What C names otherwise than Python, at the beginning of a text.
_NAMES = re.compile(r"(options\.|pattern\.(?=layer)|d(?=(out|lse):))")


def check(status: int) -> None:
    """Raises what a status other than 0 says, with Python's names of arguments."""
    if status:
        text = library.sparsec_error().decode(errors="replace")
        text = _NAMES.sub(lambda match: "d_" if match[1] == "d" else "", text, count=1) if _NAMES.match(text) else text
        raise BY_STATUS.get(status, InternalError)(text)


def json_of(function: Any, *arguments: Any) -> Any:
    """What a sparsec_describe_... function returns."""
    text = c_char_p()
    check(function(*arguments, ctypes.byref(text)))
    try:
        assert text.value is not None
        return json.loads(text.value)
    finally:
        library.sparsec_free_text(text)
