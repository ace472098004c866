"""sparsec.compile on the device under test (devices.py): arrays of every library that is there, counters, captures, bad calls."""
import importlib.util
import subprocess
import sys
import unittest

import numpy as np
import reference
import sparsec
import torch
from devices import DEVICE

DTYPE, BOUND = (torch.float32, 1e-5) if DEVICE == "cpu" else (torch.bfloat16, 4e-2)
PARAMS, ATTENDS = reference.PATTERNS["strided"]
DIM = 32


def tensors(batch=1, heads=4, nq=70, n=None, dtype=None):
    """q, k, v, d_out"""
    random = torch.Generator().manual_seed(1)
    shapes = [(batch, heads, nq, DIM), (batch, heads, n or nq, DIM), (batch, heads, n or nq, DIM), (batch, heads, nq, DIM)]
    return [torch.randn(shape, generator=random).to(DEVICE, dtype or DTYPE) for shape in shapes]


def program(pattern="strided", params=PARAMS, dtype=None, **options):
    return sparsec.compile(pattern, params=params, head_dim=DIM, dtype=dtype or DTYPE, device=DEVICE, **options)


def host(tensor):
    return tensor.detach().cpu().double().numpy()


class Opaque:
    """An array of another library: torch's memory by DLPack and a namespace, nothing else."""

    def __init__(self, tensor):
        self.tensor, self.shape = tensor, tuple(tensor.shape)

    def __dlpack__(self, **options):
        options.pop("max_version", None)  # torch's of today has it; older ones had not
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()

    def __array_namespace__(self):
        return self

    @staticmethod
    def from_dlpack(given):
        return Opaque(torch.from_dlpack(given))


def libraries():
    """(name, from torch, to torch) of those that are there and have the device."""
    yield "DLPack alone", Opaque, lambda x: x.tensor
    if DEVICE == "cuda" and importlib.util.find_spec("cupy"):
        import cupy
        yield "cupy", lambda x: cupy.from_dlpack(x), torch.from_dlpack
    if importlib.util.find_spec("jax"):
        import jax
        if any(each.platform in ("gpu", "cuda") for each in jax.devices()) or DEVICE == "cpu":
            yield "jax", jax.dlpack.from_dlpack, torch.from_dlpack


class Arrays(unittest.TestCase):
    def test_of_every_library(self):
        """The bits of torch's, in arrays of the library."""
        attention = program(dtype=torch.float16)  # which every library has
        q, k, v, d_out = tensors(dtype=torch.float16)
        out, lse = attention.forward(q, k, v)
        wanted = [out, lse, *attention.backward(q, k, v, out, lse, d_out)]
        for name, into, outof in libraries():
            with self.subTest(name):
                a, b, c, d = map(into, (q, k, v, d_out))
                found = list(attention.forward(a, b, c))
                found += attention.backward(a, b, c, *found, d)
                self.assertEqual({type(each) for each in found}, {type(a)})
                for each, exactly in zip(found, wanted):
                    self.assertTrue(torch.equal(outof(each), exactly))

    def test_numpys_are_copied_to_the_device_and_back(self):
        attention = program(dtype=torch.float32)
        given = tensors(n=90, dtype=torch.float32)
        out, lse = attention.forward(*given[:3])
        wanted = [out, lse, *attention.backward(*given[:3], out, lse, given[3])]
        q, k, v, d_out = (x.cpu().numpy() for x in given)
        mine = np.full_like(q, 7)
        out, lse = attention.forward(q, k, v, out=mine)
        self.assertIs(out, mine)
        for each, exactly in zip((out, lse, *attention.backward(q, k, v, out, lse, d_out)), wanted):
            self.assertIsInstance(each, np.ndarray)
            np.testing.assert_array_equal(each, exactly.cpu().numpy())

    def test_against_float64(self):
        for name, (params, attends) in reference.PATTERNS.items():
            with self.subTest(pattern=name):
                q, k, v, d_out = tensors()
                attention = program(name, params)
                mask = reference.mask(attends, 4, 70, 70)
                out, lse = attention.forward(q, k, v)
                exact = reference.forward(*map(host, (q, k, v)), mask)
                self.assertLess(reference.furthest(host(out), exact[0]), BOUND)
                self.assertLess(reference.furthest(host(lse), exact[1]), 1e-5 if DEVICE == "cpu" else 1e-4)
                gradients = reference.backward(*map(host, (q, k, v)), mask, host(d_out))
                for each, exactly in zip(attention.backward(q, k, v, out, lse, d_out), gradients):
                    self.assertLess(reference.furthest(host(each), exactly), 4 * BOUND)

    def test_counters_are_the_layouts(self):
        """Blocks that are executed, against those in which the mask has a pair."""
        q, k, v, d_out = tensors()
        attention = program("local", {"l": 16}, block=16, order="natural", operations="forward")
        padded = np.zeros((4, 80, 80), bool)
        padded[:, :70, :70] = reference.mask(reference.PATTERNS["local"][1], 4, 70, 70)
        live = padded.reshape(4, 5, 16, 5, 16).any((2, 4))
        counters = sparsec.Counters()
        attention.forward(q, k, v, counters=counters)
        self.assertEqual((counters.executed, counters.skipped), (live.sum(), live.size - live.sum()))


CAPTURE = """
import sparsec, torch
attention = sparsec.compile("local", params={"l": 16}, head_dim=32, dtype="bf16", operations="forward", device="cuda")
q = torch.randn(1, 2, 48, 32, dtype=torch.bfloat16, device="cuda")
attention.forward(q, q, q)
with torch.cuda.graph(torch.cuda.CUDAGraph()):
    attention.forward(q, q, q)
    try:
        attention.forward(q[:, :, :32], q, q)
    except sparsec.UnpreparedError as error:
        print(error)
"""


@unittest.skipUnless(DEVICE == "cuda", "skipped: SPARSEC_TEST_DEVICE is not cuda")
class Captured(unittest.TestCase):
    def test_a_shape_that_was_not_prepared(self):
        """In a process of its own: a capture that went wrong may leave torch's generator unusable."""
        done = subprocess.run([sys.executable, "-B", "-c", CAPTURE], text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (
            0, "shape: expected one that was prepared before the stream is captured: prepare it, or launch it once, first\n"), done.stderr)

    def test_replays_read_what_is_there(self):
        attention = program()
        q, k, v, d_out = tensors()
        out, lse = attention.forward(q, k, v)
        gradients = attention.backward(q, k, v, out, lse, d_out)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            attention.forward(q, k, v, out=out, lse=lse)
            attention.backward(q, k, v, out, lse, d_out, dq=gradients[0], dk=gradients[1], dv=gradients[2])
        for x in (q, k, v, d_out):
            x.copy_(torch.randn_like(x))
        graph.replay()
        wanted = attention.forward(q, k, v)
        for a, b in zip((out, lse, *gradients), (*wanted, *attention.backward(q, k, v, *wanted, d_out))):
            self.assertTrue(torch.equal(a, b))


class Refused(unittest.TestCase):
    def test_texts(self):
        attention, forward_only = program(), program(operations="forward")
        closed = program()
        closed.close()
        q, k, v, d_out = tensors()
        out, lse = attention.forward(q, k, v)
        odd = torch.zeros(q.numel() + 1, dtype=DTYPE, device=DEVICE)[1:].view(q.shape)
        forward, backward = attention.forward, attention.backward
        name = {torch.float32: "f32", torch.bfloat16: "bf16"}[DTYPE]
        there, elsewhere = {"cpu": ("meta", "k: expected memory of cpu or cuda, found meta"),
                            "cuda": ("cpu", "k: expected memory of cuda:0, found cpu")}[DEVICE]
        for call, text in [
            (lambda: forward(None, k, v), "q: expected an array, found NoneType"),
            (lambda: forward(q[0], k, v), "q: expected 4 dimensions, found 3"),
            (lambda: forward(q, k, v[:, :, 1:]), "v: expected shape [1, 4, 70, 32], found [1, 4, 69, 32]"),
            (lambda: forward(q, k[:, :3], v[:, :3]), "shape: expected kv heads that divide the 4 heads, found 3"),
            (lambda: forward(q, k, v.to(torch.float16)), f"v: expected {name}, found f16"),
            (lambda: forward(q, k, v.double()), "v: expected f32, f16 or bf16, found torch.float64"),
            (lambda: forward(q, k, v.mT.contiguous().mT), "v: expected a contiguous last dimension, found stride 70"),
            (lambda: forward(odd, k, v), f"q: expected an address that is a multiple of 16 bytes, found {odd.data_ptr():#x}"),
            (lambda: forward(q, k.to(there), v), elsewhere),
            (lambda: forward(q, k, v, out=q), "out: expected memory of its own, found that it overlaps q"),
            (lambda: backward(q, k, v, out, lse, d_out, dk=k), "dk: expected memory of its own, found that it overlaps k"),
            (lambda: forward(q, k, v, layout="sbhd"), "layout: expected bhsd or bshd, found sbhd"),
            (lambda: forward(q.requires_grad_(), k, v), "q: requires gradients, which are not recorded here: call "
                                                        "sparsec.torch.attention, or pass q.detach()"),
            (lambda: backward(q.detach(), k, v, out, lse, None), "d_out: expected an array, found NoneType"),
            (lambda: backward(q.detach(), k, v, out, lse.half(), d_out), "lse: expected f32, found f16"),
            (lambda: forward_only.backward(q.detach(), k, v, out, lse, d_out),
             "attention: expected one compiled with backward, found operations=('forward',)"),
            (lambda: closed.forward(q.detach(), k, v),
             f"attention: expected an open one, found <sparsec.Attention strided: {name}, head dim 32, on {DEVICE}, closed>"),
            (lambda: program(dtype="f64"), "dtype: expected f32, f16 or bf16, found f64"),
            (lambda: sparsec.compile("local", device="cuda:99" if DEVICE == "cuda" else "cpu:1"), None),
        ]:
            with self.subTest(text=text):
                with self.assertRaises(sparsec.Error) as raised:
                    call()
                if text:
                    self.assertEqual(str(raised.exception), text)
                q.requires_grad_(False)


if __name__ == "__main__":
    unittest.main()
