"""The Python package beside the C interface, without numpy: structs, names, texts of errors, documentation."""
import ctypes
import inspect
import os
import pathlib
import re
import subprocess
import sys
import unittest

import sparsec
from sparsec import _library, _names

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = (ROOT / "runtime/c/sparsec.h").read_text()
C_TYPES = {"size_t": ctypes.c_size_t, "int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
           "float": ctypes.c_float, "int": ctypes.c_int32}


def header_fields(name):
    """(name, is a pointer, type) of each field of a struct of the header."""
    body = re.search(rf"typedef struct {name} {{\n(.*?)\n}} {name};", HEADER, re.S)[1]
    body = re.sub(r"//.*", "", body)
    body = re.sub(r"struct {[^}]*} (\w+);", r"inner \1;", body)
    for line in filter(None, (each.strip() for each in body.split(";"))):
        words = re.match(r"(?:const )?(\w+)((?: ?\*| ?const)*) ?(.*)", re.sub(r"\s+", " ", line))
        for field in words[3].split(","):
            pointer = "*" in words[2] or "*" in field
            yield field.strip(" *"), pointer, words[1]


class Structs(unittest.TestCase):
    def test_structs_are_the_headers(self):
        named = re.findall(r"typedef struct (\w+) {", HEADER)
        self.assertEqual(sorted(named), sorted(_library.STRUCTS))
        for name, struct in _library.STRUCTS.items():
            fields = list(header_fields(name))
            with self.subTest(struct=name):
                self.assertEqual([field for field, _, _ in fields], [field for field, _ in struct._fields_])
                for (field, pointer, c_type), (_, found) in zip(fields, struct._fields_):
                    if pointer:
                        self.assertEqual(ctypes.sizeof(found), ctypes.sizeof(ctypes.c_void_p), field)
                        self.assertTrue(found in (ctypes.c_void_p, ctypes.c_char_p) or hasattr(found, "contents"), field)
                    elif c_type != "inner":
                        self.assertIs(found, C_TYPES[c_type], field)

    def test_numbers_are_the_headers(self):
        for name, number in {"SPARSEC_FORWARD": _library.FORWARD, "SPARSEC_BACKWARD": _library.BACKWARD,
                             "SPARSEC_DL_CPU": _library.DL_CPU, "SPARSEC_DL_CUDA": _library.DL_CUDA,
                             "SPARSEC_DL_SIM": _library.DL_SIM, "SPARSEC_BHSD": _names.LAYOUTS["bhsd"],
                             "SPARSEC_BSHD": _names.LAYOUTS["bshd"], "SPARSEC_F32": _names.DTYPES["f32"],
                             "SPARSEC_F16": _names.DTYPES["f16"], "SPARSEC_BF16": _names.DTYPES["bf16"],
                             "SPARSEC_PATTERN_TEXT": 1, "SPARSEC_PATTERN_EXPRESSION": 2, "SPARSEC_INPUT": 1,
                             "SPARSEC_UNPREPARED": 2, "SPARSEC_MACHINE": 3}.items():
            self.assertRegex(HEADER, rf"\b{name}(?: =)? {number}\b")


class Public(unittest.TestCase):
    def test_every_name_is_documented_and_typed(self):
        for name in sparsec.__all__:
            each = getattr(sparsec, name)
            self.assertTrue(each.__doc__, name)
            if inspect.isfunction(each):
                for parameter in inspect.signature(each).parameters.values():
                    self.assertIsNot(parameter.annotation, parameter.empty, f"{name}: {parameter.name}")
                    self.assertIn(parameter.name, each.__doc__, name)
        self.assertTrue((pathlib.Path(sparsec.__file__).parent / "py.typed").exists())

    def test_the_device_that_there_is(self):
        with sparsec.compile("local", head_dim=16, operations="forward") as attention:
            self.assertIn(attention.device, ("cpu", "cuda"))
            self.assertEqual([head["name"] for head in attention.kernels["heads"]], ["local"])
        self.assertIn("closed", repr(attention))

    def test_element_types_by_any_name(self):
        for name, spellings in {"f32": ("f32", "float32", "float", "torch.float32"), "f16": ("f16", "float16", "half"),
                                "bf16": ("bf16", "bfloat16", "torch.bfloat16")}.items():
            for spelling in spellings:
                self.assertEqual(_names.dtype_name(spelling), name)


REFUSED = [
    (lambda: sparsec.compile(), "pattern: expected a pattern or expr, found neither"),
    (lambda: sparsec.compile("local", expr="causal"), "pattern: expected a pattern or expr, found both"),
    (lambda: sparsec.compile(7), "pattern: expected a name, a path, a text or a dict, found int"),
    (lambda: sparsec.compile("locl", device="cpu"),
     "there is no pattern 'locl' in the zoo: did you mean 'local'?\nnote: a path has a '/' or ends in .yaml"),
    (lambda: sparsec.compile("name: x\nheads: [{attend: causl}]\n", device="cpu"),
     "<text>:2:18: error: unknown name 'causl': did you mean 'causal'?\n  heads: [{attend: causl}]\n                   ^~~~~"),
    (lambda: sparsec.compile("local", dtype="f64", device="cpu"), "dtype: expected f32, f16 or bf16, found f64"),
    (lambda: sparsec.compile("local", operations="matmul", device="cpu"),
     "operations: expected forward and backward, found matmul"),
    (lambda: sparsec.compile("local", operations=(), device="cpu"),
     "operations: expected forward, backward or both, found none"),
    (lambda: sparsec.compile("local", head_dim=-1, device="cpu"), "head_dim: expected 0 to 256, found -1"),
    (lambda: sparsec.compile("local", split="maybe", device="cpu"),
     "split: expected auto, always or never, found 'maybe'"),
    (lambda: sparsec.compile("local", target="sm_80", device="cpu"),
     "target: device cpu does not run code for sm_80"),
    (lambda: sparsec.compile("strided-interleaved", device="cpu"),
     "layer: expected a layer: the 4 layers of 'strided-interleaved' differ"),
    (lambda: sparsec.compile("local", params={"w": 8}, device="cpu"),
     "--param:1:1: error: pattern 'local' has no parameter 'w'\n  w=8\n  ^\nnote: its parameters are l"),
    (lambda: sparsec.compile("local", device="tpu"), "expected a device: cuda, cpu, sim; found 'tpu'"),
    (lambda: sparsec.stats("locl"),
     "there is no pattern 'locl' in the zoo; did you mean 'local'?\nnote: 'sparsec zoo' lists it; a path has a '/' or ends in .yaml"),
]


class Refused(unittest.TestCase):
    maxDiff = None

    def test_texts(self):
        for call, text in REFUSED:
            with self.subTest(text=text):
                with self.assertRaises(sparsec.InputError) as raised:
                    call()
                self.assertEqual(str(raised.exception), text)
        self.assertTrue(issubclass(sparsec.InputError, ValueError))


CAPTURE = """
import sparsec
from sparsec import _library as c
from sparsec._arrays import Memory, OwnedMemory, dense_strides

class Array:
    def __init__(self, *shape):
        self.memory = OwnedMemory(attention._device, shape, Memory(0, (c.DL_CUDA, 0), (2, 32), shape, dense_strides(shape)), (2, 32))
        self.__dlpack__, self.__dlpack_device__, self.shape = self.memory.__dlpack__, self.memory.__dlpack_device__, shape

attention = sparsec.compile("local", head_dim=32, dtype="f32", operations="forward", device="cuda")
q, out, lse = Array(1, 2, 48, 32), Array(1, 2, 48, 32), Array(1, 2, 48)
for stream in (0x20, 0x10, 0x20):
    try:
        attention.forward(q, q, q, out=out, lse=lse, stream=stream)
        print("launched")
    except sparsec.UnpreparedError as error:
        print(error)
"""


@unittest.skipUnless("SPARSEC_FAKE_DRIVER" in os.environ, "skipped: there is no build of the tests' driver")
class Captured(unittest.TestCase):
    def test_a_shape_that_was_not_prepared(self):
        """With tests/runtime/cuda/FakeDriver.cpp as libcuda.so.1, whose stream 0x20 is being captured."""
        environment = {**os.environ, "LD_LIBRARY_PATH": os.environ["SPARSEC_FAKE_DRIVER"], "SPARSEC_NVRTC": "none", "SPARSEC_PTXAS": "none"}
        done = subprocess.run([sys.executable, "-B", "-c", CAPTURE], env=environment, text=True, capture_output=True)
        self.assertEqual((done.stderr, done.stdout.splitlines()), ("", [
            "shape: expected one that was prepared before the stream is captured: prepare it, or launch it once, first",
            "launched", "launched"]))


if __name__ == "__main__":
    unittest.main()
