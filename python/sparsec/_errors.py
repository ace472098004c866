"""What sparsec raises. Every text names the argument that is wrong, or what this machine lacks."""
import operator
from typing import Any


class Error(Exception):
    """Any failure of sparsec."""


class InputError(Error, ValueError):
    """An argument, or the pattern, is wrong; a pattern's text has file, line and column."""


class UnpreparedError(Error, RuntimeError):
    """A new shape while a CUDA graph is captured: run it once before."""


class MachineError(Error, RuntimeError):
    """This machine cannot: no such device, driver, memory, disk or compiler."""


class InternalError(Error, RuntimeError):
    """A bug of sparsec; the text says what to report."""


BY_STATUS: dict[int, type[Error]] = {1: InputError, 2: UnpreparedError, 3: MachineError}


def expected(argument: str, what: str, found: object) -> InputError:
    """The error that `argument` is not what it should be."""
    return InputError(f"{argument}: expected {what}, found {found}")


def whole_number(argument: str, value: Any) -> int:
    """An integer of any library."""
    try:
        return operator.index(value)
    except TypeError:
        raise expected(argument, "a whole number", repr(value)) from None
