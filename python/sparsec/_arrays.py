"""Arrays of other libraries: where they lie in memory, and new ones of the same kind.

numpy's and torch's are read by their own attributes, which is quickest; all others through DLPack.
"""
import ctypes
import math
import sys
from typing import Any, Hashable, NamedTuple, Sequence

from . import _library as c
from ._errors import InputError, expected
from ._names import DL_TYPES, dtype_name


class Memory(NamedTuple):
    """Where an array lies. Shape and strides in elements."""
    address: int
    device: "tuple[int, int]"  # DLDevice: type and id
    dtype: "tuple[int, int]"  # DLDataType: code and bits
    shape: "tuple[int, ...]"
    strides: "tuple[int, ...]"


def is_torch(array: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def is_numpy(array: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(array, numpy.ndarray)


def address_and_key(name: str, array: Any, written: bool, stream: "int | None") -> "tuple[int, Hashable, Any]":
    """An array's address, what else its Memory depends on, and what must live as long as the address is used."""
    if is_torch(array):
        if array.requires_grad:
            raise InputError(f"{name}: requires gradients, which are not recorded here: call sparsec.torch.attention, "
                             f"or pass {name}.detach()")
        return array.data_ptr(), ("torch", array.dtype, array.device, array.shape, array.stride()), array
    if is_numpy(array):
        interface = array.__array_interface__
        address, read_only = interface["data"]
        if written and read_only:
            raise InputError(f"{name}: expected an array that can be written, found a read-only one")
        return address, ("numpy", array.dtype, array.shape, array.strides), array
    memory, keep = (array.memory, array) if isinstance(array, OwnedMemory) else _exported(name, array, stream)
    return memory.address, memory[1:], keep


def memory_of(name: str, array: Any, stream: "int | None") -> Memory:
    """Where an array lies."""
    if is_torch(array):
        device = array.device
        kinds = {"cpu": c.DL_CPU, "cuda": c.DL_CUDA}
        if device.type not in kinds:
            raise expected(name, "memory of cpu or cuda", device.type)
        return Memory(array.data_ptr(), (kinds[device.type], device.index or 0), _dl_type(name, array.dtype),
                      tuple(array.shape), tuple(array.stride()))
    if is_numpy(array):
        if not array.dtype.isnative:
            raise expected(name, "numbers in the machine's byte order", array.dtype.str)
        size = array.dtype.itemsize
        for axis, stride in enumerate(array.strides):
            if stride % size:
                raise expected(name, "strides of whole elements", f"{stride} bytes on axis {axis}")
        return Memory(array.__array_interface__["data"][0], (c.DL_CPU, 0), _dl_type(name, array.dtype), array.shape,
                      tuple(stride // size for stride in array.strides))
    return array.memory if isinstance(array, OwnedMemory) else _exported(name, array, stream)[0]


def _dl_type(name: str, dtype: Any) -> "tuple[int, int]":
    return DL_TYPES[dtype_name(dtype, name)]


def empty(like: Any, shape: "Sequence[int]", dtype: "str | None", device: Any) -> Any:
    """A new array of the kind and device of `like`, and of its element type unless `dtype` is "f32"."""
    if is_torch(like):
        torch = sys.modules["torch"]
        return torch.empty(shape, dtype=torch.float32 if dtype else like.dtype, device=like.device)
    if is_numpy(like):
        numpy = sys.modules["numpy"]
        return numpy.empty(shape, dtype=numpy.float32 if dtype else like.dtype)
    if _namespace(like) is None:
        raise InputError(f"out: expected an array, since {type(like).__name__} cannot make one: it has no "
                         "__array_namespace__")
    memory = _exported("q", like, None)[0]
    return OwnedMemory(device, shape, memory, DL_TYPES["f32"] if dtype else memory.dtype)


def handed_out(array: Any, like: Any) -> Any:
    """What empty() gave, as an array of the kind of `like`, once it is written."""
    return _namespace(like).from_dlpack(array) if isinstance(array, OwnedMemory) else array


def _namespace(array: Any) -> Any:
    """What has from_dlpack for arrays of this kind; None: nothing. CuPy's arrays do not name it, their module has it."""
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    module = sys.modules.get(type(array).__module__.partition(".")[0])
    return module if hasattr(module, "from_dlpack") else None


# ---- DLPack ----

class _Managed(ctypes.Structure):
    """DLManagedTensor."""


class _ManagedVersioned(ctypes.Structure):
    """DLManagedTensorVersioned."""


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_Managed._fields_ = [("tensor", c.Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]
_ManagedVersioned._fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                              ("deleter", _Deleter), ("flags", ctypes.c_uint64), ("tensor", c.Tensor)]

_python = ctypes.pythonapi
_python.PyCapsule_GetPointer.argtypes, _python.PyCapsule_GetPointer.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
_python.PyCapsule_IsValid.argtypes, _python.PyCapsule_IsValid.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_int
_python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_python.PyCapsule_New.restype = ctypes.py_object
_VERSIONED, _UNVERSIONED = b"dltensor_versioned", b"dltensor"


def _exported(name: str, array: Any, stream: "int | None") -> "tuple[Memory, Any]":
    """Where an array of any library lies, by DLPack; the capsule keeps it there."""
    if not hasattr(array, "__dlpack__"):
        raise expected(name, "an array with __dlpack__", type(array).__name__)
    options = {"stream": stream or 1} if array.__dlpack_device__()[0] == c.DL_CUDA else {}
    try:
        capsule = array.__dlpack__(max_version=(1, 0), **options)
    except TypeError:  # of libraries before DLPack 1.0
        capsule = array.__dlpack__(**options)
    if _python.PyCapsule_IsValid(capsule, _VERSIONED):
        tensor = _ManagedVersioned.from_address(_python.PyCapsule_GetPointer(capsule, _VERSIONED)).tensor
    else:
        tensor = _Managed.from_address(_python.PyCapsule_GetPointer(capsule, _UNVERSIONED)).tensor
    if tensor.dtype.lanes != 1:
        raise expected(name, "one number an element", f"{tensor.dtype.lanes}")
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    if tensor.strides:
        strides = tuple(tensor.strides[i] for i in range(tensor.ndim))
    else:
        strides = dense_strides(shape)
    memory = Memory((tensor.data or 0) + tensor.byte_offset, (tensor.device.device_type, tensor.device.device_id),
                    (tensor.dtype.code, tensor.dtype.bits), shape, strides)
    return memory, capsule


def dense_strides(shape: "Sequence[int]") -> "tuple[int, ...]":
    strides = [1] * len(shape)
    for axis in range(len(shape) - 1, 0, -1):
        strides[axis - 1] = strides[axis] * max(shape[axis], 1)
    return tuple(strides)


# What was handed out, by the address that its new owner gives the deleter.
_handed_out: "dict[int, OwnedMemory]" = {}


def _delete(managed: int) -> None:
    _handed_out.pop(managed, None)


_deleter = _Deleter(_delete)


class OwnedMemory:
    """Memory of a device, written here and then handed to another library's from_dlpack(), once, or copied to numpy."""

    def __init__(self, device: Any, shape: "Sequence[int]", like: Memory, dtype: "tuple[int, int]"):
        self._device, self._address = device, ctypes.c_void_p()
        count = max(math.prod(shape) * dtype[1] // 8, 1)
        c.check(c.library.sparsec_allocate(device.handle, count, ctypes.byref(self._address)))
        self.memory = Memory(self._address.value or 0, like.device, dtype, tuple(shape), dense_strides(shape))
        self._managed: Any = None

    def __dlpack_device__(self) -> "tuple[int, int]":
        return self.memory.device

    def __dlpack__(self, *, max_version: "tuple[int, int] | None" = None, **_: Any) -> Any:
        rank, dtype = len(self.memory.shape), self.memory.dtype
        tensor = c.Tensor(data=self._address, device=c.DLDevice(*self.memory.device), ndim=rank,
                          dtype=c.DLDataType(dtype[0], dtype[1], 1), shape=(ctypes.c_int64 * rank)(*self.memory.shape))
        if max_version and max_version[0] >= 1:
            self._managed, name = _ManagedVersioned(major=1, minor=0, deleter=_deleter, tensor=tensor), _VERSIONED
        else:
            self._managed, name = _Managed(deleter=_deleter, tensor=tensor), _UNVERSIONED
        address = ctypes.addressof(self._managed)
        _handed_out[address] = self
        return _python.PyCapsule_New(address, name, None)

    def upload(self, array: Any) -> None:
        """Copies numpy's array of this shape and element type, and waits."""
        dense = sys.modules["numpy"].ascontiguousarray(array)
        c.check(c.library.sparsec_copy_to_device(self._device.handle, self._address, dense.ctypes.data, dense.nbytes))

    def download(self, array: Any) -> None:
        """Copies into numpy's array of this shape and element type, and waits."""
        dense = array if array.flags.c_contiguous else sys.modules["numpy"].empty_like(array, order="C")
        c.check(c.library.sparsec_copy_to_host(self._device.handle, dense.ctypes.data, self._address, dense.nbytes))
        if dense is not array:
            array[...] = dense

    def __del__(self) -> None:
        if self._address:
            c.library.sparsec_free(self._device.handle, self._address)


def copy_of(name: str, array: Any, written: bool, device: Any) -> OwnedMemory:
    """Memory of a device for numpy's array, with what is in it unless it is to be written."""
    memory = memory_of(name, array, None)
    if written and not array.flags.writeable:
        raise InputError(f"{name}: expected an array that can be written, found a read-only one")
    there = memory._replace(device=(device.facts["dlpack_type"], device.facts["dlpack_id"]))
    made = OwnedMemory(device, memory.shape, there, memory.dtype)
    if not written:
        made.upload(array)
    return made
