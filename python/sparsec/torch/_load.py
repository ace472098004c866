"""A run of `sparsec train` as a module of torch, with the weights' names as they are stored."""
import ast
import ctypes
import json
import operator
import os
import pathlib
import re
import struct
from typing import Any, Callable

import torch
from torch import Tensor, nn

from .. import _library as c
from .._errors import InputError, expected
from .._names import Pattern, pattern_struct
from ._attention import attention

_CLASSES = 256  # of tokens: bytes


class Attention(nn.Module):
    def __init__(self, model: "dict[str, Any]", pattern: Pattern):
        super().__init__()
        width = model["width"]
        inner = int(model["qk_ratio"] * width)
        self.heads, self.pattern = model["heads"], pattern
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.query, self.key = nn.Linear(width, inner), nn.Linear(width, inner)
        self.value, self.output = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(model["dropout"])

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        q, k, v = (each(x).unflatten(-1, (self.heads, -1)) for each in (self.query, self.key, self.value))
        out = attention(q, k, v, self.pattern, layout="bshd")
        assert isinstance(out, Tensor)
        return self.dropout(self.output(out.flatten(-2)))


class FeedForward(nn.Module):
    def __init__(self, model: "dict[str, Any]"):
        super().__init__()
        width = model["width"]
        inner = int(model["ff_ratio"] * width)
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = nn.Dropout(model["dropout"])

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(self.norm(x))
        return self.dropout(self.outer(x * torch.sigmoid(1.702 * x)))


class Layer(nn.Module):
    def __init__(self, model: "dict[str, Any]", pattern: Pattern):
        super().__init__()
        self.attention, self.ff = Attention(model, pattern), FeedForward(model)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.ff(x)


class Transformer(nn.Module):
    """The Sparse Transformer of a run (arXiv 1904.10509, section 5).

    forward(tokens): tokens [batch, n] of bytes, n at most the run's length; logits [batch, n, 256], of which
    logits[:, t] predict token t from those before it: so the last token is not read, and may be anything.
    """

    def __init__(self, config: "dict[str, Any]", patterns: "list[Pattern]"):
        super().__init__()
        model = config["model"]
        self.config = config
        self.length = model["length"]
        tables = {"token": _CLASSES, "start": 1}
        for name, text in model["positions"].items():
            index = [_evaluate(text, t) for t in range(self.length)]
            tables[name] = max(index) + 1
            self.register_buffer(f"_{name}_index", torch.tensor(index), persistent=False)
        self.embedding = nn.ModuleDict({name: nn.Embedding(rows, model["width"]) for name, rows in tables.items()})
        self.layers = nn.ModuleList(Layer(model, patterns[i % len(patterns)]) for i in range(model["layers"]))
        self.norm = nn.LayerNorm(model["width"], eps=1e-6)
        self.output = None if model["tied_output"] else nn.Linear(model["width"], _CLASSES, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, n = tokens.shape
        if n > self.length:
            raise expected("tokens", f"at most {self.length} a sequence", n)
        table = self._table("token")
        x = torch.cat([self._table("start").expand(batch, 1, -1), nn.functional.embedding(tokens[:, :-1].long(), table)], dim=1)
        for name in self.config["model"]["positions"]:
            x = x + nn.functional.embedding(getattr(self, f"_{name}_index")[:n], self._table(name))
        for layer in self.layers:
            x = layer(x)
        return nn.functional.linear(self.norm(x), table if self.output is None else self.output.weight)

    def _table(self, name: str) -> Tensor:
        weight = self.embedding[name].weight
        assert isinstance(weight, Tensor)
        return weight


def load(run: "str | os.PathLike[str]", checkpoint: "int | None" = None) -> Transformer:
    """A run of `sparsec train` as a module, in evaluation mode, in f32 on the CPU: the weights of the best validation
    (of the last checkpoint where there is none), or of the checkpoint of a step.

    Its kernels are those of this package: `.to("cuda")`, `.to(torch.bfloat16)` and training work as of any module.
    """
    folder = pathlib.Path(run)
    if not (folder / "config.yaml").is_file():
        raise expected("run", "the folder of a run of sparsec train", folder)
    model = Transformer(read_config((folder / "config.yaml").read_text()), _patterns(folder / "pattern.yaml"))
    weights = read_safetensors(_weights(folder, checkpoint))
    model.load_state_dict({name: tensor for name, tensor in weights.items() if not name.startswith("adam.")})
    return model.eval()


def _weights(folder: pathlib.Path, checkpoint: "int | None") -> pathlib.Path:
    if checkpoint is not None:
        path = folder / f"checkpoints/{checkpoint:06d}.safetensors"
        if not path.is_file():
            raise expected("checkpoint", "a step that has one", checkpoint)
        return path
    if (folder / "best.safetensors").is_file():
        return folder / "best.safetensors"
    whole = sorted(path for path in (folder / "checkpoints").glob("*.safetensors") if path.with_suffix(".json").is_file())
    if not whole:
        raise expected("run", "one with weights", f"{folder}, which has no checkpoint yet")
    return whole[-1]


def _patterns(path: pathlib.Path) -> "list[Pattern]":
    """Of each layer, repeated from the first."""
    text = path.read_text()
    layers = c.json_of(c.library.sparsec_describe_pattern, ctypes.byref(pattern_struct(Pattern(text))))["layers"]
    return [Pattern(text, layer=i) for i in range(len(layers))] or [Pattern(text)]


def read_safetensors(path: pathlib.Path) -> "dict[str, Tensor]":
    """The tensors of a safetensors file of f32."""
    data = path.read_bytes()
    try:
        size, = struct.unpack_from("<Q", data)
        header = json.loads(data[8:8 + size])
        tensors = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] != "F32":
                raise InputError(f"{path}: expected tensors of F32, found {entry['dtype']} ({name})")
            begin, end = entry["data_offsets"]
            piece = bytearray(data[8 + size + begin:8 + size + end])
            tensors[name] = torch.frombuffer(piece, dtype=torch.float32).reshape(entry["shape"])
        return tensors
    except (struct.error, KeyError, ValueError, RuntimeError) as failure:
        if isinstance(failure, InputError):
            raise
        raise InputError(f"{path}: expected a safetensors file: {failure}") from None


def read_config(text: str) -> "dict[str, Any]":
    """What sparsec writes as config.yaml: keys, sections of keys, and flow maps and lists as values."""
    config: "dict[str, Any]" = {}
    section = config
    for line in text.splitlines():
        match = re.fullmatch(r"( *)(\w+):(?: (.*))?", line)
        if not match:
            raise InputError(f"config.yaml: expected what sparsec train writes, found {line!r}")
        indent, key, value = match.groups()
        if not indent:
            section = config
        if value is None:
            section = config[key] = {}
        else:
            section[key] = _value(value)
    return config


def _value(text: str) -> Any:
    if text.startswith("{"):
        return {key: _value(value) for key, value in re.findall(r"(\w+): ('(?:[^']|'')*'|[^,}]+)", text)}
    if text.startswith("["):
        return [_value(each.strip()) for each in text[1:-1].split(",")]
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(text, text)


_BINARY: "dict[type[ast.operator], Callable[[int, int], int]]" = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod}
_CALLS: "dict[str, Callable[..., int]]" = {"min": min, "max": max, "abs": abs}


def _evaluate(text: str, t: int) -> int:
    """A position of the config at token t: integers, t, + - * // %, min, max, abs."""
    def walk(node: ast.expr) -> int:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        if isinstance(node, ast.Name) and node.id == "t":
            return t
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -walk(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _BINARY[type(node.op)](walk(node.left), walk(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            return _CALLS[node.func.id](*map(walk, node.args))
        raise expected("config.yaml: positions", "an expression of t", repr(text))
    return walk(ast.parse(text, mode="eval").body)
