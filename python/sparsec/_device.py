"""Devices, each opened once for a process."""
import ctypes
import threading
from typing import Any

from . import _library as c
from ._errors import MachineError


class Device:
    """A handle of a device, and what it is: name, description, target, dlpack_type, dlpack_id."""

    def __init__(self, name: str, threads: int):
        options = c.DeviceOptions(size=ctypes.sizeof(c.DeviceOptions), threads=threads)
        handle = ctypes.c_void_p()
        c.check(c.library.sparsec_open_device(name.encode(), ctypes.byref(options), ctypes.byref(handle)))
        self.handle = handle
        self.facts: "dict[str, Any]" = c.json_of(c.library.sparsec_describe_device, handle)


_opened: "dict[tuple[str, int], Device]" = {}
_lock = threading.Lock()


def open_device(name: Any, threads: int = 0) -> Device:
    """The device of a name or a torch.device; of None cuda where there is one, else cpu."""
    if name is None:
        try:
            return open_device("cuda", threads)
        except MachineError:
            return open_device("cpu", threads)
    key = (str(name), threads)
    with _lock:
        if key not in _opened:
            _opened[key] = Device(*key)
        return _opened[key]
