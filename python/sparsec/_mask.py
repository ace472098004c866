"""Patterns as arrays."""
import ctypes
from typing import TYPE_CHECKING, Any, Mapping

from . import _library as c
from ._errors import expected
from ._names import PatternLike, pattern_struct, whole_pattern

if TYPE_CHECKING:
    import numpy


def mask(pattern: "PatternLike | None" = None, n: int = 512, *, expr: "str | None" = None,
         params: "Mapping[str, Any] | None" = None, layer: "int | None" = None, heads: "int | None" = None,
         nq: "int | None" = None, q0: "int | None" = None) -> "numpy.ndarray[Any, numpy.dtype[numpy.bool_]]":
    """Who attends to whom: bool [heads, nq, n], True where query row i (at position i + q0) may see key k.

    n: keys; nq: query rows, n by default; q0: n - nq by default; heads: of the model, one for each entry by default.
    pattern, expr, params, layer: as in sparsec.compile().
    """
    whole = whole_pattern(pattern, expr, params, layer)
    source = pattern_struct(whole)
    if heads is None:
        facts = c.json_of(c.library.sparsec_describe_pattern, ctypes.byref(source))
        layers = facts["layers"]
        heads = len(layers[(whole.layer or 0) % len(layers)]) if layers else len(facts["heads"])
    rows = n if nq is None else nq
    for name, size in (("n", n), ("nq", rows), ("heads", heads)):
        if not isinstance(size, int) or size < 0:
            raise expected(name, "a size from 0", size)
    import numpy  # after what is refused without it
    result = numpy.empty((heads, rows, n), dtype=numpy.bool_)
    start = n - rows if q0 is None else q0
    c.check(c.library.sparsec_mask(ctypes.byref(source), heads, rows, n, start, result.ctypes.data, result.nbytes))
    return result
