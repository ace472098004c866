"""What the program `sparsec` knows of patterns: pictures, counts, verification.

The program is $SPARSEC_PROGRAM, or the one inside the package.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any, Mapping

from ._errors import BY_STATUS, InternalError, MachineError
from ._names import Pattern, PatternLike, dtype_name, pattern_params, pattern_source, whole_pattern


def _program() -> str:
    return os.environ.get("SPARSEC_PROGRAM") or str(pathlib.Path(__file__).parent / "bin/sparsec")


def run(arguments: "list[str]", text: str = "", accepted: "tuple[int, ...]" = (0,)) -> str:
    """stdout of the program; its errors as exceptions."""
    try:
        done = subprocess.run([_program(), *arguments], input=text, text=True, capture_output=True, check=False)
    except OSError as failure:
        raise MachineError(f"the program sparsec cannot be run: {failure}") from None
    if done.returncode not in accepted:
        error = {1: BY_STATUS[1], 2: BY_STATUS[1], 3: MachineError}.get(done.returncode, InternalError)
        raise error(done.stderr.strip().removeprefix("sparsec: ").removeprefix("error: "))
    return done.stdout


def _arguments(pattern: Pattern, options: "Mapping[str, Any]") -> "tuple[list[str], str]":
    """Flags and the pattern as the program takes them, and what it reads from stdin."""
    kind, text = pattern_source(pattern)
    arguments = [["--", text], ["-"], ["-e", text]][kind]
    flags = [each for assignment in pattern_params(pattern.params) for each in ("--param", assignment)]
    for name, value in {**options, "layer": pattern.layer}.items():
        if value is not None:
            flags += ["-n" if name == "n" else "--" + name.replace("_", "-"), str(value)]
    return flags + arguments, text if kind == 1 else ""


class Picture:
    """A pattern drawn: a figure in notebooks (PNG), text when printed."""

    def __init__(self, text: str, png: bytes):
        self.text = text
        self.png = png

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Writes the figure, a PNG."""
        pathlib.Path(path).write_bytes(self.png)


def show(pattern: "PatternLike | None" = None, n: "int | None" = None, *, expr: "str | None" = None,
         params: "Mapping[str, Any] | None" = None, layer: "int | None" = None, heads: "int | None" = None,
         grid: "str | None" = None, query: "int | None" = None) -> Picture:
    """A picture of a pattern: pairs of n positions and the blocks that are computed; with grid="6x6" what one query of
    such an image sees. `print` shows text, a notebook a figure; `.save(path)` writes the figure.

    pattern, expr, params, layer: as in sparsec.compile(). n: positions, 512 by default. heads: of the model, one for
    each entry by default. query: whose keys grid shows.
    """
    if n is None and grid is None:
        n = 512
    flags, text = _arguments(whole_pattern(pattern, expr, params, layer), {"n": n, "heads": heads, "grid": grid, "query": query})
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "picture.png"
        run(["show", "-q", "--png", str(path), *flags], text)
        return Picture(run(["show", "--color", "never", *flags], text), path.read_bytes())


def stats(pattern: "PatternLike | None" = None, n: int = 4096, *, expr: "str | None" = None,
          params: "Mapping[str, Any] | None" = None, layer: "int | None" = None, heads: "int | None" = None,
          head_dim: "int | None" = None, dtype: Any = None, target: "str | None" = None) -> "dict[str, Any]":
    """What the schedule for n tokens computes and skips, of each head: {"pattern", "n", "heads": [{"name", "elements",
    "keys_per_query", "density" (of all pairs), "order", "blocks": {"live", "full", "partial"}, "predicted_ms", ...}]}.

    pattern, expr, params, layer: as in sparsec.compile(). heads, head_dim, dtype: of the model, which the prediction is
    for. target: "sm_80" (the default), "sm_90", "cpu", ...
    """
    flags, text = _arguments(whole_pattern(pattern, expr, params, layer), {
        "n": n, "heads": heads, "head_dim": head_dim, "target": target,
        "dtype": None if dtype is None else dtype_name(dtype)})
    return dict(json.loads(run(["show", "--stats", "--json", *flags], text)))


def verify(pattern: "PatternLike | None" = None, *, expr: "str | None" = None,
           params: "Mapping[str, Any] | None" = None, layer: "int | None" = None, n: "int | None" = None,
           head_dim: "int | None" = None, dtype: Any = None, device: "str | None" = None) -> "dict[str, Any]":
    """Runs a pattern's kernels against a reference in float64: {"device", "passed": bool, "cases": [{"operation",
    "output", "dtype", "head_dim", "n", "error", "bound", "passed"}]}.

    pattern, expr, params, layer: as in sparsec.compile(). n: tokens, head_dim and dtype: one case of the many.
    device: "cpu", "cuda" or "sim".
    """
    flags, text = _arguments(whole_pattern(pattern, expr, params, layer), {
        "n": n, "head_dim": head_dim, "device": device,
        "dtype": None if dtype is None else dtype_name(dtype)})
    return dict(json.loads(run(["verify", "--json", "-q", *flags], text, accepted=(0, 1))))


def main() -> None:
    """The program as a command of the environment that the package is installed in."""
    program = _program()
    os.execv(program, [program, *sys.argv[1:]])
