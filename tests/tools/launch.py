"""Launches a folder's cpu kernels from Python, by its manifest alone: what a host program does."""
import array
import ctypes
import json
import math

C_TYPES = {"pointer": ctypes.c_void_p, "i64": ctypes.c_int64, "i32": ctypes.c_int32, "f32": ctypes.c_float}
ARRAYS = ("query_order", "key_order", "row_forms", "block_offsets", "block_columns", "row_order")


class HostKernels:
    """Of a manifest with a layout, unsplit heads, as many kv heads as heads."""

    def __init__(self, folder):
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.held = []

    def aligned(self, size, data=b""):
        """The address of `size` bytes at a multiple of 64, which begin with `data`."""
        raw = ctypes.create_string_buffer(size + 64)
        self.held.append(raw)
        start = (ctypes.addressof(raw) + 63) // 64 * 64
        ctypes.memmove(start, bytes(data), len(data))
        return start

    def arguments(self, kernel, values):
        """The struct of a kernel, with those of the values that it takes."""
        fields = [(f["name"], C_TYPES[f["type"]] * f["count"] if f["count"] > 1 else C_TYPES[f["type"]])
                  for f in kernel["arguments"]["fields"]]
        call = type("Arguments", (ctypes.Structure,), {"_fields_": fields})()
        for name, _ in fields:
            setattr(call, name, values[name])
        return call

    def run(self, layer, q, k, v):
        """The output of layer `layer` of a model, [head][position][dim] as q, k and v: arrays of floats."""
        m = self.manifest
        n, dim = m["layout"]["n"], m["head_dim"]
        values = {"n": n, "nq": n, "q0": 0, "head_group": 1, "scale": 1 / math.sqrt(dim), "lse": None,
                  "lse_stride": (ctypes.c_int64 * 2)()}
        out = array.array("f", bytes(4 * len(q)))
        for name, data in (("q", q), ("k", k), ("v", v), ("out", out)):
            values[name] = self.aligned(4 * len(data), data.tobytes())
            values[f"{name}_stride"] = (ctypes.c_int64 * 3)(m["heads"] * n * dim, n * dim, dim)
        [section] = [i for i, each in enumerate(m["layers"]) if layer % m["layer_count"] in each["indices"]]
        for launch in m["layout"]["launches"]:
            if launch["layer"] == section:
                self.launch(launch, values)
        return array.array("f", ctypes.string_at(values["out"], 4 * len(q)))

    def launch(self, launch, values):
        kernel = self.manifest["kernels"][launch["kernel"]]
        for name in ARRAYS:
            data = (self.folder / launch[name]).read_bytes() if name in launch else None
            values[name] = self.aligned(len(data), data) if data is not None else None
        for name in ("head_first", "head_step", "layout_stride", "form_stride"):
            values[name] = launch[name]
        call = self.arguments(kernel, values)
        function = getattr(ctypes.CDLL(str(self.folder / kernel["shared_object"])), kernel["entry"])
        function.argtypes = [ctypes.c_void_p] + 3 * [ctypes.c_int32] + [ctypes.c_void_p]
        function.restype = None
        scratch = self.aligned(kernel["scratch_bytes"])
        for head in range(launch["head_count"]):
            for tile in range(launch["query_tiles"]):
                function(ctypes.addressof(call), tile, head, 0, scratch)


def attention(q, k, v, n, dim, seen):
    """Attention of one head written down: `seen(i)` lists the keys of query i. Rows of `dim` numbers."""
    for i in range(n):
        keys = seen(i)
        scores = [sum(q[i * dim + d] * k[j * dim + d] for d in range(dim)) / math.sqrt(dim) for j in keys]
        weights = [math.exp(score - max(scores)) for score in scores]
        yield [sum(w * v[j * dim + d] for w, j in zip(weights, keys)) / sum(weights) if keys else 0 for d in range(dim)]
