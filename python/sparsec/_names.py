"""Names that users write in several ways: element types, layouts, patterns."""
import ctypes
import dataclasses
import os
from typing import Any, Mapping, Sequence, Union

from . import _library as c
from ._errors import InputError, expected, whole_number


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A pattern with its parameters and layer, as one value: wherever a pattern is taken, this is too.

    source: a name of the zoo, a path, the text of a pattern file or the same as a dict; else expr, a predicate.
    """
    source: "str | os.PathLike[str] | Mapping[str, Any] | None" = None
    params: "Mapping[str, Any] | None" = None
    layer: "int | None" = None
    expr: "str | None" = None


PatternLike = Union[str, "os.PathLike[str]", Mapping[str, Any], Pattern]

DTYPES = {"f32": 1, "f16": 2, "bf16": 3}  # sparsec_dtype
DL_TYPES = {"f32": (2, 32), "f16": (2, 16), "bf16": (4, 16)}  # DLDataType's code and bits
LAYOUTS = {"bhsd": 0, "bshd": 1}  # sparsec_layout
_DTYPE_NAMES = {"f32": "f32", "float32": "f32", "float": "f32", "f16": "f16", "float16": "f16", "half": "f16",
                "bf16": "bf16", "bfloat16": "bf16"}


def dtype_name(dtype: Any, argument: str = "dtype") -> str:
    """"f32", "f16" or "bf16" of a name, a numpy dtype or scalar type, or a torch dtype."""
    text = dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    name = _DTYPE_NAMES.get(text.removeprefix("torch."))
    if name is None:
        raise expected(argument, "f32, f16 or bf16", text)
    return name


def layout_number(layout: str) -> int:
    """sparsec_layout of "bhsd" or "bshd"."""
    number = LAYOUTS.get(layout)
    if number is None:
        raise expected("layout", "bhsd or bshd", layout)
    return number


def whole_pattern(pattern: "PatternLike | None", expr: "str | None", params: "Mapping[str, Any] | None",
                  layer: "int | None") -> Pattern:
    """The arguments as one value; those beside a Pattern count before its own."""
    if isinstance(pattern, Pattern):
        if expr is not None:
            raise InputError("pattern: expected a pattern or expr, found both")
        if params is None and layer is None:
            return pattern
        return Pattern(pattern.source, {**(pattern.params or {}), **(params or {})},
                       pattern.layer if layer is None else layer, pattern.expr)
    return Pattern(pattern, params, layer, expr)


def pattern_source(pattern: Pattern) -> "tuple[int, str]":
    """sparsec_pattern_kind, and the text."""
    source, expr = pattern.source, pattern.expr
    if (source is None) == (expr is None):
        raise InputError("pattern: expected a pattern or expr, found " + ("neither" if source is None else "both"))
    if expr is not None:
        if not isinstance(expr, str):
            raise expected("expr", "a text", type(expr).__name__)
        return 2, expr
    if isinstance(source, str):
        is_text = "\n" in source or ": " in source or source.startswith("{")
        return (1 if is_text else 0), source
    if isinstance(source, Mapping):
        return 1, _yaml(source)
    if isinstance(source, os.PathLike):
        path = os.fspath(source)
        return 0, path if "/" in path or path.endswith((".yaml", ".yml")) else "./" + path
    raise expected("pattern", "a name, a path, a text or a dict", type(source).__name__)


def _yaml(value: Any) -> str:
    """A dict as YAML: JSON, by operations that torch.compile can trace."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, Mapping):
        return "{" + ", ".join([f"{_yaml(key)}: {_yaml(each)}" for key, each in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([_yaml(each) for each in value]) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def pattern_params(params: "Mapping[str, Any] | None") -> "list[str]":
    """"l=128" of each; lists as a pattern file writes them."""
    if params is None:
        return []
    if not isinstance(params, Mapping):
        raise expected("params", "a dict", type(params).__name__)
    return [f"{key}={value}" for key, value in params.items()]


def pattern_struct(pattern: Pattern) -> c.Pattern:
    """sparsec_pattern."""
    kind, text = pattern_source(pattern)
    layer = 0 if pattern.layer is None else whole_number("layer", pattern.layer)
    assignments: Sequence[bytes] = [each.encode() for each in pattern_params(pattern.params)]
    return c.Pattern(size=ctypes.sizeof(c.Pattern), kind=kind, has_layer=pattern.layer is not None, text=text.encode(),
                     params=(ctypes.c_char_p * len(assignments))(*assignments), param_count=len(assignments),
                     layer=layer)
