"""Launches a folder's cpu kernels from Python, by its manifest alone: what a host program does."""
import array
import ctypes
import json
import math

C_TYPES = {"pointer": ctypes.c_void_p, "i64": ctypes.c_int64, "i32": ctypes.c_int32, "f32": ctypes.c_float}
ARRAYS = ("query_order", "key_order", "row_forms", "block_offsets", "block_columns", "row_order", "groups", "blocks")


class HostKernels:
    """Of a manifest with a layout, for one sequence of f32. A head in parts runs backward alone."""

    def __init__(self, folder):
        self.folder = folder
        self.manifest = m = json.loads((folder / "manifest.json").read_text())
        self.held = []
        n, heads, kv_heads = m["layout"]["n"], m["heads"], m["kv_heads"]
        self.shapes = {"q": (heads, n, m["head_dim"]), "k": (kv_heads, n, m["head_dim"]),
                       "v": (kv_heads, n, m["value_dim"]), "out": (heads, n, m["value_dim"])}
        self.shapes |= {"d" + name: shape for name, shape in self.shapes.items()}
        self.shapes |= {name: (heads, n, 1) for name in ("lse", "dlse", "delta")}
        for name, shape in m["layout"]["workspaces"].items():
            self.shapes[name] = (shape["heads"], shape["rows"], shape["columns"])

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
        for name, kind in fields:
            value = values.get(name)
            if isinstance(value, tuple):
                value = kind(*value[:kind._length_])
            if value is not None:
                setattr(call, name, value)
        return call

    def run(self, layer, q, k, v):
        """The output of layer `layer` of a model, [head][position][dim] as q, k and v: arrays of floats."""
        return self.compute("forward", layer, {"q": q, "k": k, "v": v}, ("out",))[0]

    def compute(self, operation, layer, given, wanted):
        """Arrays of floats by the names of the kernels' fields, each [head][position][dim]; what nobody gives is null."""
        m = self.manifest
        n = m["layout"]["n"]
        values = {"n": n, "nq": n, "q0": 0, "head_group": m["heads"] // m["kv_heads"], "scale": 1 / math.sqrt(m["head_dim"]),
                  "dlse_rows": n if "dlse" in given else 0}
        self.held = []
        for name, (heads, rows, columns) in self.shapes.items():
            if name in given or name in wanted or name in m["layout"]["workspaces"]:
                size = 4 * heads * rows * columns
                values[name] = self.aligned(size, given[name].tobytes() if name in given else b"\xff" * size)  # NaN
            values[f"{name}_stride"] = (heads * rows * columns, rows * columns, columns)
        for launch in self.launches(operation, layer):
            self.launch(launch, values)
        sizes = [4 * math.prod(self.shapes[name]) for name in wanted]
        return [array.array("f", ctypes.string_at(values[name], size)) for name, size in zip(wanted, sizes)]

    def decode(self, layer, q, k, v, lengths, nq):
        """out and lse of the last nq positions of sequences of these lengths: [sequence][head][query][dim]; q likewise, k and v
        [sequence][kv head][row][dim]."""
        m = self.manifest
        batch, most, heads, kv_heads = len(lengths), m["layout"]["n"], m["heads"], m["kv_heads"]
        dims = {"q": m["head_dim"], "out": m["value_dim"], "lse": 1, "k": m["head_dim"], "v": m["value_dim"]}
        values = {"nq": nq, "scale": 1 / math.sqrt(m["head_dim"]), "lengths": self.aligned(4 * batch, array.array("i", lengths).tobytes())}
        for name, data in (("q", q), ("k", k), ("v", v)):
            values[name] = self.aligned(4 * len(data), data.tobytes())
        for name in ("k", "v"):
            values[f"{name}_stride"] = (kv_heads * most * dims[name], most * dims[name], dims[name])
        for name in ("out", "lse"):
            size = 4 * batch * heads * nq * dims[name]
            values[name] = self.aligned(size, b"\xff" * size)  # NaN
        for name, shape in m["layout"]["workspaces"].items():
            size = 4 * batch * nq * math.prod(shape.values())
            values[name] = self.aligned(size, b"\xff" * size)
        for launch in self.launches("decode", layer):
            for name in ("q", "out", "lse"):
                head = nq * dims[name]
                values[f"{name}_stride"] = (heads * head, head, dims[name], head * launch["head_step"])
            rows = launch["group_heads"]
            places = batch * nq * launch["group_count"]
            for name, columns in (("part_out", m["value_dim"]), ("part_max", 1), ("part_sum", 1)):
                values[f"{name}_stride"] = (places * rows * columns, rows * columns, columns)
            self.launch(launch, values, batch * nq)
        return [array.array("f", ctypes.string_at(values[name], 4 * batch * heads * nq * dims[name])) for name in ("out", "lse")]

    def mass(self, layer, q, k, lse):
        """{(head, block row, block column): (sum of the weights, of their squares)} of one sequence."""
        m = self.manifest
        n, heads, kv_heads, dim = m["layout"]["n"], m["heads"], m["kv_heads"], m["head_dim"]
        values = {"n": n, "nq": n, "q0": 0, "head_group": heads // kv_heads, "scale": 1 / math.sqrt(dim),
                  "q_stride": (heads * n * dim, n * dim, dim), "k_stride": (kv_heads * n * dim, n * dim, dim),
                  "lse_stride": (heads * n, n)}
        for name, data in (("q", q), ("k", k), ("lse", lse)):
            values[name] = self.aligned(4 * len(data), data.tobytes())
        sums = {}
        for launch in self.launches("mass", layer):
            size = 4 * launch["per_batch"]
            for name in ("mass", "squares"):
                values[name] = self.aligned(size, b"\xff" * size)
            self.launch(launch, values)
            blocks = array.array("i", (self.folder / launch["blocks"]).read_bytes())
            found = [array.array("f", ctypes.string_at(values[name], size)) for name in ("mass", "squares")]
            for i, each in enumerate(zip(*found)):
                sums[tuple(blocks[3 * i:3 * i + 3])] = each
        return sums

    def launches(self, operation, layer):
        m = self.manifest
        [section] = [i for i, each in enumerate(m["layers"]) if layer % m["layer_count"] in each["indices"]]
        return [launch for launch in m["layout"]["launches"]
                if launch["layer"] == section and m["kernels"][launch["kernel"]]["operation"] == operation]

    def launch(self, launch, values, copies=1):
        """`copies`: how often the launch's items are there, of a kernel over a range of them."""
        kernel = self.manifest["kernels"][launch["kernel"]]
        for name in ARRAYS:
            data = (self.folder / launch[name]).read_bytes() if name in launch else None
            values[name] = self.aligned(len(data), data) if data is not None else None
        values |= {name: value for name, value in launch.items() if isinstance(value, int)}
        tiles, heads = launch["grid"]
        values["items"] = tiles * copies
        call = self.arguments(kernel, values)
        function = getattr(ctypes.CDLL(str(self.folder / kernel["shared_object"])), kernel["entry"])
        function.argtypes = [ctypes.c_void_p] + 3 * [ctypes.c_int32] + [ctypes.c_void_p]
        function.restype = None
        scratch = self.aligned(kernel["scratch_bytes"])
        for head in range(heads):
            for tile in range(tiles * copies):
                function(ctypes.addressof(call), tile, head, 0, scratch)


def attention(q, k, v, n, dim, seen):
    """Attention of one head written down: `seen(i)` lists the keys of query i. Rows of `dim` numbers."""
    for i in range(n):
        keys = seen(i)
        weights = weights_of(q, k, i, dim, keys)
        yield [sum(w * v[j * dim + d] for w, j in zip(weights, keys)) if keys else 0 for d in range(dim)]


def weights_of(q, k, i, dim, keys):
    """Of the keys of query i, their softmax."""
    scores = [sum(q[i * dim + d] * k[j * dim + d] for d in range(dim)) / math.sqrt(dim) for j in keys]
    weights = [math.exp(score - max(scores)) for score in scores]
    return [weight / sum(weights) for weight in weights]


def log_sums(q, k, n, dim, seen):
    """The lse of each query of one head."""
    for i in range(n):
        scores = [sum(q[i * dim + d] * k[j * dim + d] for d in range(dim)) / math.sqrt(dim) for j in seen(i)]
        yield math.log(sum(map(math.exp, scores))) if scores else -math.inf


def gradients(q, k, v, dout, n, dim, seen):
    """dq, dk and dv of one head written down, as lists of n * dim numbers."""
    dq, dk, dv = ([0.0] * (n * dim) for _ in range(3))
    for i in range(n):
        keys = seen(i)
        weights = weights_of(q, k, i, dim, keys)
        given = [sum(dout[i * dim + d] * v[j * dim + d] for d in range(dim)) for j in keys]
        delta = sum(w * g for w, g in zip(weights, given))
        for w, g, j in zip(weights, given, keys):
            ds = w * (g - delta) / math.sqrt(dim)
            for d in range(dim):
                dq[i * dim + d] += ds * k[j * dim + d]
                dk[j * dim + d] += ds * q[i * dim + d]
                dv[j * dim + d] += w * dout[i * dim + d]
    return dq, dk, dv
