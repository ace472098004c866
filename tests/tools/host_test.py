"""sparsec --target cpu: the files, and that programs without sparsec can use them."""
import array
import ctypes
import json
import math
import os
import pathlib
import random
import unittest

from command import SPARSEC, CommandTest

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples/attention-in-c"
C_TYPES = {"pointer": ctypes.c_void_p, "i64": ctypes.c_int64, "i32": ctypes.c_int32, "f32": ctypes.c_float}


class Host(CommandTest):
    def manifest(self):
        return json.loads((self.folder / "out/manifest.json").read_text())

    def test_files(self):
        self.works("causal", "--target", "cpu,sm_80", "-n", "300", "--order", "natural", "-o", "out")
        self.assertEqual([name for name in sorted(os.listdir(self.folder / "out")) if not name.endswith(".i32")],
                         ["causal.forward.cpu.o", "causal.forward.cpu.so", "causal.forward.sm_80.ptx", "causal.h",
                          "manifest.json", "sparsec.json"])
        kernels = {kernel["target"]: kernel for kernel in self.manifest()["kernels"]}
        self.assertEqual((kernels["cpu"]["shared_object"], kernels["cpu"]["object"]),
                         ("causal.forward.cpu.so", "causal.forward.cpu.o"))
        self.assertGreater(kernels["cpu"]["scratch_bytes"], 0)
        self.assertNotIn("threads", kernels["cpu"])
        self.assertEqual(kernels["sm_80"]["ptx"], "causal.forward.sm_80.ptx")
        self.assertNotIn("scratch_bytes", kernels["sm_80"])

    def test_types(self):
        """f32 where only CPUs are meant, bf16 else."""
        for target, dtype in (("cpu", "f32"), ("cpu,sm_80", "bf16"), ("sm_80", "bf16")):
            self.works("causal", "--target", target, "-o", "out")
            self.assertEqual(self.manifest()["dtype"], dtype)

    def test_no_cubin_of_a_cpu(self):
        self.refuses(1, "error: --cubin: none of the targets is a GPU\n", "causal", "--target", "cpu", "--cubin")

    def test_the_header_declares_the_function(self):
        self.works("local", "--target", "cpu,cpu-avx512", "-n", "300", "-o", "out")
        for language, std in (("c", "c11"), ("c++", "c++11")):
            self.write("use", '#include "out/local.h"\n#include "out/local.h"\n'
                              "void (*function)(const sparsec_attention_arguments *, int32_t, int32_t, int32_t, void *) =\n"
                              "    local_local_forward;\n"
                              "int shape[] = {LOCAL_LOCAL_FORWARD_CPU_BLOCK_Q, LOCAL_LOCAL_FORWARD_CPU_BLOCK_K,\n"
                              "               LOCAL_LOCAL_FORWARD_CPU_SCRATCH_BYTES, LOCAL_HEAD_DIM, LOCAL_LOCAL_HEAD_COUNT,\n"
                              "               LOCAL_LOCAL_FORWARD_CPU_AVX512_BLOCK_Q, LOCAL_LOCAL_FORWARD_CPU_AVX512_QUERY_TILES};\n")
            self.run_tool("g++" if language == "c++" else "gcc", "-x", language, f"-std={std}", "-Wall", "-Wextra",
                          "-pedantic-errors", "-Werror", "-fsyntax-only", "use")

    def test_amx_is_told(self):
        """Of bf16 at that level; f32 has no tiles."""
        for dtype, uses in (("bf16", True), ("f32", False)):
            self.works("causal", "--target", "cpu-amx", "--dtype", dtype, "-o", "out")
            self.assertEqual(self.manifest()["kernels"][0]["uses_amx"], uses)
            self.assertEqual("ARCH_REQ_XCOMP_PERM" in (self.folder / "out/causal.h").read_text(), uses)

    def test_the_objects_need_nothing(self):
        """Neither file asks for a library; what is not in it is libc's or libm's."""
        self.works("strided", "--target", "cpu", "-o", "out")
        for file in ("row.forward.cpu.so", "row.forward.cpu.o"):
            self.assertNotIn("NEEDED", self.run_tool("readelf", "-d", f"out/{file}"))
            undefined = set(self.run_tool("nm", "-u", f"out/{file}").split()) - {"U", "w"}
            self.assertLessEqual(undefined, {"memcpy", "memset", "memmove"})

    def test_the_shared_object_computes_attention(self):
        """Opened from Python, called over the grid, compared with attention in Python."""
        n, dim = 150, 16
        self.works("-e", "causal and (local(9) or every(16))", "--target", "cpu", "--head-dim", dim, "-n", n,
                   "--split", "never", "-o", "out")
        manifest = self.manifest()
        [kernel], [launch] = manifest["kernels"], manifest["layout"]["launches"]
        numbers = random.Random(1)
        q, k, v = (array.array("f", (numbers.gauss(0, 1) for _ in range(n * dim))) for _ in range(3))
        out = array.array("f", bytes(4 * n * dim))
        held = {}

        def address(data):
            """16-byte aligned memory with these bytes."""
            raw = ctypes.create_string_buffer(len(data) + 16)
            start = (ctypes.addressof(raw) + 15) // 16 * 16
            ctypes.memmove(start, bytes(data), len(data))
            held[start] = raw
            return start

        fields = [(f["name"], C_TYPES[f["type"]] * f["count"] if f["count"] > 1 else C_TYPES[f["type"]])
                  for f in manifest["arguments"]["fields"]]
        call = type("Arguments", (ctypes.Structure,), {"_fields_": fields})()
        for name, data in (("q", q), ("k", k), ("v", v), ("out", out)):
            setattr(call, name, address(data.tobytes()))
            setattr(call, f"{name}_stride", (ctypes.c_int64 * 3)(n * dim, n * dim, dim))
        for name in ("query_order", "key_order", "row_forms", "block_offsets", "block_columns", "row_order"):
            if name in launch:
                setattr(call, name, address((self.folder / "out" / launch[name]).read_bytes()))
        call.n = call.nq = n
        call.head_step = call.head_group = 1
        call.layout_stride, call.form_stride = launch["layout_stride"], launch["form_stride"]
        call.scale = 1 / math.sqrt(dim)
        scratch = ctypes.create_string_buffer(kernel["scratch_bytes"] + 64)
        function = getattr(ctypes.CDLL(str(self.folder / "out" / kernel["shared_object"])), kernel["entry"])
        function.argtypes = [ctypes.c_void_p] + 3 * [ctypes.c_int32] + [ctypes.c_void_p]
        function.restype = None
        for tile in range(launch["query_tiles"]):
            function(ctypes.addressof(call), tile, 0, 0, (ctypes.addressof(scratch) + 63) // 64 * 64)
        found = array.array("f", ctypes.string_at(call.out, 4 * n * dim))

        for i in range(n):
            keys = [j for j in range(i + 1) if i - j < 9 or (i - j) % 16 == 0]
            scores = [sum(q[i * dim + d] * k[j * dim + d] for d in range(dim)) / math.sqrt(dim) for j in keys]
            weights = [math.exp(score - max(scores)) for score in scores]
            for d in range(dim):
                exact = sum(w * v[j * dim + d] for w, j in zip(weights, keys)) / sum(weights)
                self.assertAlmostEqual(found[i * dim + d], exact, delta=1e-5)

    def test_the_example(self):
        """examples/attention-in-c as its README says; the program needs libc and libm alone."""
        self.run_tool("cmake", "-G", "Ninja", "-S", EXAMPLE, "-B", "build", f"-DSPARSEC={SPARSEC}", "-DCMAKE_C_FLAGS=-Werror")
        self.run_tool("cmake", "--build", "build")
        out = self.run_tool("build/attention", "build/window")
        self.assertRegex(out, r"^4 heads, 1000 tokens: the kernel and plain attention differ by at most \d\.\de-0[678]\n$")
        needed = [line.split("[")[1].rstrip("]") for line in self.run_tool("readelf", "-d", "build/attention").splitlines()
                  if "NEEDED" in line]
        self.assertLessEqual(set(needed), {"libc.so.6", "libm.so.6"})


if __name__ == "__main__":
    unittest.main()
