"""sparsec --target cpu: the files, and that programs without sparsec can use them."""
import array
import json
import math
import os
import pathlib
import random
import unittest

from command import SPARSEC, CommandTest
from launch import HostKernels, attention, gradients, log_sums, weights_of

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples/attention-in-c"


class Host(CommandTest):
    def manifest(self):
        return json.loads((self.folder / "out/manifest.json").read_text())

    def test_files(self):
        self.works("causal", "--target", "cpu,sm_80", "-n", "300", "--order", "natural", "-o", "out")
        self.assertEqual([name for name in sorted(os.listdir(self.folder / "out")) if not name.endswith(".i32")],
                         [f"causal.{kernel}.{end}" for kernel in ("backward", "backward_dkv", "forward")
                          for end in ("cpu.o", "cpu.so", "sm_80.ptx")] + ["causal.h", "manifest.json", "sparsec.json"])
        kernels = {kernel["target"]: kernel for kernel in self.manifest()["kernels"] if kernel["operation"] == "forward"}
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
                              "void (*function)(const local_local_forward_arguments *, int32_t, int32_t, int32_t, void *) =\n"
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
        self.works("-e", "causal and (local(9) or every(16))", "--op", "forward", "--target", "cpu", "--head-dim", dim, "-n", n,
                   "--split", "never", "-o", "out")
        numbers = random.Random(1)
        q, k, v = (array.array("f", (numbers.gauss(0, 1) for _ in range(n * dim))) for _ in range(3))
        found = HostKernels(self.folder / "out").run(0, q, k, v)
        exact = attention(q, k, v, n, dim, lambda i: [j for j in range(i + 1) if i - j < 9 or (i - j) % 16 == 0])
        for i, row in enumerate(exact):
            for d in range(dim):
                self.assertAlmostEqual(found[i * dim + d], row[d], delta=1e-5)

    def test_the_shared_objects_compute_gradients(self):
        """Two entries that share kv heads, one of them in parts that meet in memory: every layer by the manifest alone."""
        n, dim, heads, kv_heads = 70, 16, 6, 2
        path = self.write("p.yaml", "name: p\nheads:\n"
                          "  - {name: a, attend: causal and (local(9) or every(16)), schedule: {split: always}}\n"
                          "  - {name: b, attend: local(3 + h) and h != 4 or q == k}\nlayers: [[a, b], a]\n")
        self.works(path, "--target", "cpu", "--heads", heads, "--kv-heads", kv_heads, "--head-dim", dim, "-n", n, "-q", "-o", "out")
        kernels = HostKernels(self.folder / "out")
        self.assertEqual({name: tuple(size.values()) for name, size in kernels.manifest["layout"]["workspaces"].items()},
                         {"delta": (heads, n, 1), "dq_sums": (heads, n, dim), "dk_sums": (kv_heads, n, dim),
                          "dv_sums": (kv_heads, n, dim)})
        numbers = random.Random(3)
        q, dout = (array.array("f", (numbers.gauss(0, 1) for _ in range(heads * n * dim))) for _ in range(2))
        k, v = (array.array("f", (numbers.gauss(0, 1) for _ in range(kv_heads * n * dim))) for _ in range(2))
        a = lambda h, i, j: j <= i and (i - j < 9 or (i - j) % 16 == 0)
        b = lambda h, i, j: (0 <= i - j < 3 + h and h != 4) or i == j
        for layer, entries in enumerate(([a, b, a, b, a, b], 6 * [a])):
            out, lse, exact = [], [], {"dq": [], "dk": [0] * len(k), "dv": [0] * len(v)}
            for h, sees in enumerate(entries):
                own, kv = (slice(i * n * dim, (i + 1) * n * dim) for i in (h, h // 3))
                seen = lambda i: [j for j in range(n) if sees(h, i, j)]
                out += [x for row in attention(q[own], k[kv], v[kv], n, dim, seen) for x in row]
                lse += log_sums(q[own], k[kv], n, dim, seen)
                dq, dk, dv = gradients(q[own], k[kv], v[kv], dout[own], n, dim, seen)
                exact["dq"] += dq
                for name, part in (("dk", dk), ("dv", dv)):
                    exact[name][kv] = [x + y for x, y in zip(exact[name][kv], part)]
            given = {"q": q, "k": k, "v": v, "dout": dout, "out": array.array("f", out), "lse": array.array("f", lse)}
            found = kernels.compute("backward", layer, given, ("dq", "dk", "dv"))
            for (name, expected), values in zip(exact.items(), found):
                worst = max(abs(x - y) for x, y in zip(expected, values, strict=True))
                self.assertLess(worst, 2e-5, (layer, name))

    def test_the_shared_objects_decode(self):
        """New queries of sequences that differ in length, by the manifest alone: heads of one kv head together, one entry in parts,
        one whose heads differ, and long rows in slices."""
        most, dim, heads, kv_heads, nq, lengths = 1100, 16, 4, 2, 2, (1100, 3, 700)
        path = self.write("p.yaml", "name: p\nheads:\n"
                          "  - {name: a, attend: causal and (local(9) or every(16)), schedule: {split: always}}\n"
                          "  - {name: b, attend: causal and (q - k) % (1 + h) == 0}\nlayers: [[a, b], a]\n")
        self.works(path, "--op", "decode", "--target", "cpu", "--heads", heads, "--kv-heads", kv_heads, "--head-dim", dim, "-n", most,
                   "-q", "-o", "out")
        kernels = HostKernels(self.folder / "out")
        sliced = [launch["slices"] for launch in kernels.launches("decode", 0) if "slices" in launch]
        self.assertGreater(max(sliced), 4, sliced)
        numbers = random.Random(5)
        rows = lambda count: array.array("f", (numbers.gauss(0, 1) for _ in range(count * dim)))
        q, k, v = rows(len(lengths) * heads * nq), rows(len(lengths) * kv_heads * most), rows(len(lengths) * kv_heads * most)
        for sequence, length in enumerate(lengths):  # what lies behind a sequence is nobody's
            for head in range(kv_heads):
                at = (sequence * kv_heads + head) * most
                for cache in (k, v):
                    cache[(at + length) * dim:(at + most) * dim] = array.array("f", [math.nan] * ((most - length) * dim))
        a = lambda h, i, j: i - j < 9 or (i - j) % 16 == 0
        b = lambda h, i, j: (i - j) % (1 + h) == 0
        for layer, entries in enumerate(([a, b, a, b], 4 * [a])):
            out, lse = kernels.decode(layer, q, k, v, lengths, nq)
            for place in range(len(lengths) * heads * nq):
                sequence, h, i = place // (heads * nq), place // nq % heads, place % nq
                position = lengths[sequence] - nq + i
                seen = [j for j in range(position + 1) if entries[h](h, position, j)]
                at = (sequence * kv_heads + h // (heads // kv_heads)) * most * dim
                scores = [sum(q[place * dim + d] * k[at + j * dim + d] for d in range(dim)) / math.sqrt(dim) for j in seen]
                total = math.log(sum(map(math.exp, scores)))
                self.assertAlmostEqual(lse[place], total, delta=1e-5, msg=(layer, place))
                for d in range(dim):
                    exact = sum(math.exp(s - total) * v[at + j * dim + d] for s, j in zip(scores, seen))
                    self.assertAlmostEqual(out[place * dim + d], exact, delta=1e-5, msg=(layer, place, d))

    def test_the_shared_objects_sum_blocks(self):
        """Masses of live blocks and of their squares, by the manifest alone; a row's weights add up to 1."""
        n, dim, heads = 100, 16, 4
        path = self.write("p.yaml", "name: p\nheads:\n  - {name: a, attend: causal and q - k < 30}\n  - {name: b, attend: k <= q * h}\n")
        self.works(path, "--op", "mass", "--target", "cpu", "--heads", heads, "--kv-heads", 2, "--head-dim", dim, "-n", n,
                   "--block", "16x32", "-q", "-o", "out")
        numbers = random.Random(7)
        q = array.array("f", (numbers.gauss(0, 1) for _ in range(heads * n * dim)))
        k = array.array("f", (numbers.gauss(0, 1) for _ in range(2 * n * dim)))
        sees = [lambda h, i, j: 0 <= i - j < 30, lambda h, i, j: j <= i * h]
        lse, exact = array.array("f"), {}
        for h in range(heads):
            own, kv = (slice(i * n * dim, (i + 1) * n * dim) for i in (h, h // 2))
            seen = lambda i: [j for j in range(n) if sees[h % 2](h, i, j)]
            lse.extend(log_sums(q[own], k[kv], n, dim, seen))
            for i in range(n):
                for j, w in zip(seen(i), weights_of(q[own], k[kv], i, dim, seen(i))):
                    block = exact.setdefault((h, i // 16, j // 32), [0.0, 0.0])
                    block[0] += w
                    block[1] += w * w
        found = HostKernels(self.folder / "out").mass(0, q, k, lse)
        self.assertEqual(set(found), set(exact))
        for block, (mass, squares) in found.items():
            self.assertAlmostEqual(mass, exact[block][0], delta=1e-5, msg=block)
            self.assertAlmostEqual(squares, exact[block][1], delta=1e-5, msg=block)
        self.assertAlmostEqual(sum(mass for mass, _ in found.values()), heads * n, delta=1e-3)

    def test_the_example(self):
        """examples/attention-in-c as its README says; the program needs libc and libm alone."""
        self.run_tool("cmake", "-G", "Ninja", "-S", EXAMPLE, "-B", "build", f"-DSPARSEC={SPARSEC}", "-DCMAKE_C_FLAGS=-Werror")
        self.run_tool("cmake", "--build", "build")
        out = self.run_tool("build/attention", "build/window")
        self.assertRegex(out, r"^4 heads, 1000 tokens: the kernels and plain attention differ by at most \d\.\de-0[678], "
                         r"gradients by \d\.\de-0[678]\n"
                         r"a step of gradient descent takes the loss from 43190\.7\d to 43165\.9\d; its gradients promise 43165\.7\d\n$")
        needed = [line.split("[")[1].rstrip("]") for line in self.run_tool("readelf", "-d", "build/attention").splitlines()
                  if "NEEDED" in line]
        self.assertLessEqual(set(needed), {"libc.so.6", "libm.so.6"})


if __name__ == "__main__":
    unittest.main()
