"""Memory that launches need for themselves."""
import ctypes
import sys
import threading
from typing import Any, Union

from . import _library as c
from ._arrays import is_torch
from ._device import Device


class Workspace:
    """Memory of a device."""

    def __init__(self, device: Device, size: int):
        self.size = size
        self._device = device
        address = ctypes.c_void_p()
        c.check(c.library.sparsec_allocate(device.handle, size, ctypes.byref(address)))
        self.address: int = address.value or 0

    def __del__(self) -> None:
        if getattr(self, "address", 0):
            c.library.sparsec_free(self._device.handle, self.address)


class TorchWorkspace:
    """Memory that torch lends: safe beside other streams, and in the pool of a graph that is captured."""

    def __init__(self, size: int, device: Any):
        torch = sys.modules["torch"]
        self._tensor = torch.empty(size, dtype=torch.uint8, device=device)
        self.address: int = self._tensor.data_ptr()


class _Kept(threading.local):
    """What this thread has, by device and stream."""

    def __init__(self) -> None:
        self.workspaces: "dict[tuple[int, int | None], Workspace]" = {}


_kept = _Kept()


def workspace_of(size: int, like: Any, device: Device, stream: "int | None") -> "Union[Workspace, TorchWorkspace]":
    """For launches on this thread and stream, which follow one another; live while the result is. At multiples of 256
    bytes, as torch's allocator of GPUs and sparsec_allocate() give it."""
    if device.facts["dlpack_type"] == c.DL_CUDA and is_torch(like):
        return TorchWorkspace(size, like.device)
    kept = _kept.workspaces
    key = (id(device), stream)
    found = kept.get(key)
    if found is None or found.size < size:
        found = kept[key] = Workspace(device, size)
    return found
