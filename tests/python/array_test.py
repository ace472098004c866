"""sparsec on arrays of numpy, and of any library with DLPack, against float64."""
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import types
import unittest
import unittest.mock

import numpy as np
import reference
import sparsec

DIM = 32


def arrays(batch=1, heads=4, kv_heads=None, nq=70, n=None, dim=DIM, value_dim=None, dtype=np.float32):
    """q, k, v, d_out, d_lse"""
    random = np.random.default_rng(1)
    kv_heads, n, value_dim = kv_heads or heads, n or nq, value_dim or dim
    shapes = [(batch, heads, nq, dim), (batch, kv_heads, n, dim), (batch, kv_heads, n, value_dim),
              (batch, heads, nq, value_dim), (batch, heads, nq)]
    return [random.standard_normal(shape).astype(dtype if len(shape) == 4 else np.float32) for shape in shapes]


def on_cpu(pattern, **options):
    return sparsec.compile(pattern, head_dim=options.pop("head_dim", DIM), device="cpu", **options)


class Exported:
    """An array of another library: DLPack and a namespace, nothing else."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __array_namespace__(self):
        return self

    @staticmethod
    def from_dlpack(given):
        return Exported(np.from_dlpack(given))


class OfItsModule:
    """An array whose module has what makes arrays, as CuPy's; it names no namespace."""
    __module__ = "of_its_module.core"

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    __dlpack__, __dlpack_device__ = Exported.__dlpack__, Exported.__dlpack_device__


class Against64(unittest.TestCase):
    def check(self, attention, attends, tensors, scale=None, q0=None, lse_too=True):
        q, k, v, d_out, d_lse = tensors
        mask = reference.mask(attends, q.shape[1], q.shape[2], k.shape[2], q0)
        exact = reference.forward(q, k, v, mask, scale)
        out, lse = attention.forward(q, k, v, scale=scale, q0=q0)
        rounding = {np.dtype(np.float32): 1e-5, np.dtype(np.float16): 4e-3}[q.dtype]
        self.assertEqual((out.dtype, lse.dtype), (q.dtype, np.float32))
        self.assertLess(reference.furthest(out, exact[0]), rounding)
        self.assertLess(reference.furthest(lse, exact[1]), 1e-5)
        found = attention.backward(q, k, v, out, lse, d_out, d_lse=d_lse if lse_too else None, scale=scale, q0=q0)
        gradients = reference.backward(q, k, v, mask, d_out, d_lse if lse_too else None, scale)
        for name, each, exactly in zip(("dq", "dk", "dv"), found, gradients):
            self.assertLess(reference.furthest(each, exactly), 4 * rounding, name)

    def test_patterns(self):
        for name, (params, attends) in reference.PATTERNS.items():
            with self.subTest(pattern=name):
                self.check(on_cpu(name, params=params), attends, arrays())

    def test_grouped_heads_another_length_scale_position_and_value_dim(self):
        params, attends = reference.PATTERNS["strided"]
        attention = on_cpu("strided", params=params, value_dim=48)
        self.assertEqual((attention.head_dim, attention.value_dim, attention.dtype), (DIM, 48, "f32"))
        self.check(attention, attends, arrays(2, 6, 3, 20, 50, value_dim=48), scale=0.3)
        self.check(attention, attends, arrays(2, 6, 3, 20, 50, value_dim=48), q0=11, lse_too=False)

    def test_f16(self):
        params, attends = reference.PATTERNS["fixed"]
        self.check(on_cpu("fixed", params=params, dtype=np.float16), attends, arrays(dtype=np.float16))

    def test_a_device_that_is_not_the_cpu(self):
        """Arrays are copied there and back, in any strides."""
        params, attends = reference.PATTERNS["strided"]
        attention = sparsec.compile("strided", params=params, head_dim=16, dtype="f32", device="sim")
        tensors = arrays(heads=2, nq=24, dim=16)
        tensors[1] = np.asfortranarray(tensors[1])
        self.check(attention, attends, tensors)
        out = np.full((1, 24, 2, 16), 7, np.float32)
        self.assertIs(attention.forward(*tensors[:3], out=out.swapaxes(1, 2))[0].base, out)
        np.testing.assert_array_equal(out.swapaxes(1, 2), attention.forward(*tensors[:3])[0])
        with self.assertRaises(sparsec.InputError) as raised:
            out.flags.writeable = False
            attention.forward(*tensors[:3], out=out.swapaxes(1, 2))
        self.assertEqual(str(raised.exception), "out: expected an array that can be written, found a read-only one")

    def test_nothing(self):
        """No batch and no query: nothing is computed, whatever numpy's strides of empty arrays are."""
        attention = on_cpu("local")
        q, k, v, d_out, _ = arrays(batch=0)
        out, lse = attention.forward(q, k, v)
        self.assertEqual((out.shape, lse.shape), (q.shape, q.shape[:3]))
        self.assertEqual([x.shape for x in attention.backward(q, k, v, out, lse, d_out)], [q.shape, k.shape, v.shape])

    def test_rows_without_keys(self):
        self.check(on_cpu({"name": "late", "heads": [{"attend": "causal and k >= 10"}]}),
                   lambda h, q, k: (k <= q) & (k >= 10), arrays(), lse_too=False)


class Arrays(unittest.TestCase):
    def setUp(self):
        params, self.attends = reference.PATTERNS["strided"]
        self.attention = on_cpu("strided", params=params)
        self.tensors = arrays()
        self.out, self.lse = self.attention.forward(*self.tensors[:3])

    def test_the_other_layout_gives_the_same_bits(self):
        q, k, v, d_out, _ = (x.swapaxes(1, 2) if x.ndim == 4 else x for x in self.tensors)
        for copy in (lambda x: x, np.ascontiguousarray):
            out, lse = self.attention.forward(copy(q), copy(k), copy(v), layout="bshd")
            np.testing.assert_array_equal(out.swapaxes(1, 2), self.out)
            np.testing.assert_array_equal(lse, self.lse)
            here = self.attention.backward(q, k, v, out, lse, d_out, layout="bshd")
            there = self.attention.backward(*self.tensors[:3], self.out, self.lse, self.tensors[3])
            for a, b in zip(here, there):
                np.testing.assert_array_equal(a.swapaxes(1, 2), b)

    def test_callers_arrays_are_written(self):
        q, k, v, d_out, _ = self.tensors
        out, lse = np.full_like(q, 7), np.full(q.shape[:3], 7, np.float32)
        found = self.attention.forward(q, k, v, out=out, lse=lse)
        self.assertIs(found[0], out)
        self.assertIs(found[1], lse)
        np.testing.assert_array_equal(out, self.out)
        dq, dk, dv = (np.full_like(x, 7) for x in (q, k, v))
        found = self.attention.backward(q, k, v, out, lse, d_out, dq=dq, dk=dk, dv=dv)
        self.assertTrue(all(a is b for a, b in zip(found, (dq, dk, dv))))
        np.testing.assert_array_equal(dv, self.attention.backward(q, k, v, out, lse, d_out)[2])

    def test_other_libraries_get_their_own_arrays(self):
        q, k, v, d_out, _ = map(Exported, self.tensors)
        out, lse = self.attention.forward(q, k, v)
        self.assertIsInstance(out, Exported)
        np.testing.assert_array_equal(out.array, self.out)
        np.testing.assert_array_equal(lse.array, self.lse)
        gradients = self.attention.backward(q, k, v, out, lse, d_out)
        expected = self.attention.backward(*self.tensors[:3], self.out, self.lse, self.tensors[3])
        for a, b in zip(gradients, expected):
            np.testing.assert_array_equal(a.array, b)

    def test_arrays_of_a_module(self):
        q, k, v = map(OfItsModule, self.tensors[:3])
        with self.assertRaisesRegex(sparsec.InputError, "^out: expected an array, since OfItsModule cannot make one: it has no "
                                    "__array_namespace__$"):
            self.attention.forward(q, k, v)
        module = types.SimpleNamespace(from_dlpack=lambda given: OfItsModule(np.from_dlpack(given)))
        with unittest.mock.patch.dict(sys.modules, of_its_module=module):
            out, _ = self.attention.forward(q, k, v)
        self.assertIsInstance(out, OfItsModule)
        np.testing.assert_array_equal(out.array, self.out)

    def test_read_only_inputs(self):
        q, k, v = self.tensors[:3]
        q.flags.writeable = False
        np.testing.assert_array_equal(self.attention.forward(q, k, v)[0], self.out)

    def test_counters_are_the_layouts(self):
        """Blocks that are executed, against those in which the mask has a pair."""
        q, k, v, d_out, _ = self.tensors
        for block in (16, 32):
            attention = on_cpu("local", params={"l": 16}, block=block, order="natural")
            mask = reference.mask(reference.PATTERNS["local"][1], 4, 70, 70)
            padded = np.zeros((4, 96, 96), bool)
            padded[:, :70, :70] = mask
            across = -(-70 // block)
            live = padded.reshape(4, 96 // block, block, 96 // block, block).any((2, 4))
            counters = sparsec.Counters()
            found, lse = attention.forward(q, k, v, counters=counters)
            self.assertEqual((counters.executed, counters.skipped), (live.sum(), 4 * across ** 2 - live.sum()))
            attention.backward(q, k, v, found, lse, d_out, counters=counters)
            self.assertGreater(counters.executed, live.sum())
        self.assertIn("executed=", repr(counters))

    def test_a_folder_compiled_ahead(self):
        q, k, v, d_out, _ = self.tensors
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([os.environ["SPARSEC_PROGRAM"], "strided", "--param", "l=16", "--head-dim", str(DIM), "--target", "cpu", "-q",
                            "-o", pathlib.Path(folder) / "out"], check=True, cwd=folder)
            attention = sparsec.load(pathlib.Path(folder) / "out", device="cpu")
        out, lse = attention.forward(q, k, v)
        self.assertLess(reference.furthest(out, self.out), 1e-5)
        self.assertEqual(len(attention.backward(q, k, v, out, lse, d_out)), 3)
        with self.assertRaises(sparsec.Error) as raised:
            sparsec.load("nothing", device="cpu")
        self.assertIn("nothing", str(raised.exception))

    def test_threads(self):
        wrong = []

        def work(seed):
            q, k, v, _, _ = arrays(nq=40 + seed)
            exact = reference.forward(q, k, v, reference.mask(self.attends, 4, 40 + seed, 40 + seed))[0]
            for _ in range(20):
                if reference.furthest(self.attention.forward(q, k, v)[0], exact) > 1e-5:
                    wrong.append(seed)
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class Refused(unittest.TestCase):
    def test_texts(self):
        params, _ = reference.PATTERNS["strided"]
        attention = on_cpu("strided", params=params)
        forward_only = on_cpu("strided", params=params, operations="forward")
        q, k, v, d_out, _ = arrays()
        out, lse = attention.forward(q, k, v)
        frozen = out.copy()
        frozen.flags.writeable = False
        odd = np.zeros(q.size + 1, np.float32)[1:].reshape(q.shape)
        closed = on_cpu("strided", params=params)
        closed.close()
        forward, backward = attention.forward, attention.backward
        for call, text in [
            (lambda: forward(None, k, v), "q: expected an array, found NoneType"),
            (lambda: forward(q, None, v), "k: expected an array, found NoneType"),
            (lambda: forward(q[0], k, v), "q: expected 4 dimensions, found 3"),
            (lambda: forward(q, k[0], v), "k: expected 4 dimensions, found 3"),
            (lambda: forward(q, k, v[:, :, 1:]), "v: expected shape [1, 4, 70, 32], found [1, 4, 69, 32]"),
            (lambda: forward(q[..., :16], k, v), "q: expected shape [1, 4, 70, 32], found [1, 4, 70, 16]"),
            (lambda: forward(q, k[:, :3], v[:, :3]), "shape: expected kv heads that divide the 4 heads, found 3"),
            (lambda: forward(q, k, v.astype(np.float16)), "v: expected f32, found f16"),
            (lambda: forward(q, k, v.astype(np.float64)), "v: expected f32, f16 or bf16, found float64"),
            (lambda: forward(q, k, v.astype(">f4")), "v: expected numbers in the machine's byte order, found >f4"),
            (lambda: forward(q, k, np.asfortranarray(v)), "v: expected a contiguous last dimension, found stride 280"),
            (lambda: forward(q[:, :, ::-1], k, v), "q: expected a row stride >= 0, found -32"),
            (lambda: forward(odd, k, v), f"q: expected an address that is a multiple of 16 bytes, found {odd.ctypes.data:#x}"),
            (lambda: forward(q, k, v, out=frozen),
             "out: expected an array that can be written, found a read-only one"),
            (lambda: forward(q, k, v, out=out[:, :, 1:]), "out: expected shape [1, 4, 70, 32], found [1, 4, 69, 32]"),
            (lambda: forward(q, k, v, lse=lse.astype(np.float16)), "lse: expected f32, found f16"),
            (lambda: forward(q.tolist(), k, v), "q: expected an array, found list"),
            (lambda: forward(q, k, v, out=[0]), "out: expected an array with __dlpack__, found list"),
            (lambda: forward(q, k, v, scale="1"), "scale: expected a number, found '1'"),
            (lambda: forward(q, k, v, scale=float("nan")), "scale: expected a finite number, found nan"),
            (lambda: forward(q, k, v, q0=1.5), "q0: expected a whole number, found 1.5"),
            (lambda: forward(q, k, v, stream="0"), "stream: expected a CUstream as an integer, found str"),
            (lambda: forward(q, k, v, counters=3), "counters: expected sparsec.Counters, found int"),
            (lambda: forward(q, k, v, layout="sbhd"), "layout: expected bhsd or bshd, found sbhd"),
            (lambda: backward(q, k, v, out, lse, None), "d_out: expected an array, found NoneType"),
            (lambda: backward(q, k, v, out, lse[0], d_out), "lse: expected 3 dimensions, found 2"),
            (lambda: backward(q, k, v, out, lse, d_out[..., :16]),
             "d_out: expected shape [1, 4, 70, 32], found [1, 4, 70, 16]"),
            (lambda: forward_only.backward(q, k, v, out, lse, d_out),
             "attention: expected one compiled with backward, found operations=('forward',)"),
            (lambda: closed.forward(q, k, v),
             "attention: expected an open one, found <sparsec.Attention strided: f32, head dim 32, on cpu, closed>"),
        ]:
            with self.subTest(text=text):
                with self.assertRaises(sparsec.InputError) as raised:
                    call()
                self.assertEqual(str(raised.exception), text)


class Patterns(unittest.TestCase):
    def test_mask(self):
        for name, (params, attends) in reference.PATTERNS.items():
            np.testing.assert_array_equal(sparsec.mask(name, 50, params=params, heads=4), reference.mask(attends, 4, 50, 50))
        params, attends = reference.PATTERNS["local"]
        np.testing.assert_array_equal(sparsec.mask(expr="local(16)", n=50, nq=9), reference.mask(attends, 1, 9, 50))
        np.testing.assert_array_equal(sparsec.mask(expr="local(16)", n=50, nq=9, q0=3), reference.mask(attends, 1, 9, 50, 3))
        columns, rows = sparsec.mask("strided-interleaved", 40, layer=0), sparsec.mask("strided-interleaved", 40, layer=1)
        self.assertEqual((columns.shape, rows.shape, columns.sum(), rows.sum()), ((1, 40, 40), (1, 40, 40), 40, 820))

    def test_a_pattern_in_every_form(self):
        text = "name: near\nparams: {w: 5}\nheads: [{attend: local(w)}]\n"
        expected = sparsec.mask(text, 20, params={"w": 3})
        self.assertEqual(expected.sum(), 57)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "near.yaml"
            path.write_text(text)
            for form in (path, str(path), {"name": "near", "params": {"w": 5}, "heads": [{"attend": "local(w)"}]},
                         sparsec.Pattern(text), sparsec.Pattern(path, params={"w": 4})):
                np.testing.assert_array_equal(sparsec.mask(form, 20, params={"w": 3}), expected)
        np.testing.assert_array_equal(sparsec.mask(sparsec.Pattern(text, {"w": 3}), 20), expected)

    def test_stats_counts_what_the_mask_has(self):
        params, attends = reference.PATTERNS["fixed"]
        [head] = sparsec.stats("fixed", 200, params=params)["heads"]
        self.assertEqual(head["elements"], reference.mask(attends, 1, 200, 200).sum())

    def test_show(self):
        picture = sparsec.show("local", 8, params={"l": 2})
        self.assertIn("\n. # # . . . . .\n", str(picture))
        self.assertTrue(picture._repr_png_().startswith(b"\x89PNG"))
        self.assertIn("6", str(sparsec.show("strided", grid="6x6", params={"l": 6})))

    def test_verify(self):
        report = sparsec.verify(expr="local(8)", n=40, head_dim=16, dtype="float32", device="cpu")
        self.assertTrue(report["passed"])
        self.assertGreaterEqual({case["output"] for case in report["cases"]}, {"out", "lse", "dq", "dk", "dv"})


if __name__ == "__main__":
    unittest.main()
