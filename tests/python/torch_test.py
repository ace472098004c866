"""sparsec.torch against float64, against torch's flex_attention, and under what torch does to a module."""
import importlib.util
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import reference
import sparsec
import sparsec.torch
import torch
from devices import DEVICE
from sparsec.torch import attention, flex_attention
from torch.nn.attention.flex_attention import AuxRequest, create_block_mask
from torch.nn.attention.flex_attention import flex_attention as torchs_flex_attention

TYPES = {torch.bfloat16: 4e-2, torch.float16: 5e-3, torch.float32: 2e-5}
if DEVICE == "cpu":  # where nothing is said: what people have there
    TYPES = dict(reversed(TYPES.items()))


def tensors(batch=2, heads=4, kv_heads=None, nq=70, n=None, dim=32, value_dim=None, dtype=None, grad=True):
    """q, k, v, and gradients of out and lse"""
    random = torch.Generator().manual_seed(1)
    kv_heads, n, value_dim = kv_heads or heads, n or nq, value_dim or dim
    shapes = [(batch, heads, nq, dim), (batch, kv_heads, n, dim), (batch, kv_heads, n, value_dim),
              (batch, heads, nq, value_dim), (batch, heads, nq)]
    made = [torch.randn(shape, generator=random).to(DEVICE, (dtype or list(TYPES)[0]) if len(shape) == 4 else torch.float32)
            for shape in shapes]
    return [x.requires_grad_(grad) for x in made[:3]] + made[3:]


def exact(q, k, v, mask, scale=None):
    """(out, lse) in float64, by torch's own operations."""
    q, k, v = q.double(), *(x.double().repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    scores = (q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)).masked_fill(~mask, -torch.inf)
    return torch.softmax(scores, -1) @ v, torch.logsumexp(scores, -1)


def mask_of(name, heads, nq, n, q0=None):
    return torch.from_numpy(reference.mask(reference.PATTERNS[name][1], heads, nq, n, q0).copy()).to(DEVICE)


class Against64(unittest.TestCase):
    def check(self, name, given, bound, **options):
        q, k, v, d_out, d_lse = given
        mask = mask_of(name, q.shape[1], q.shape[2], k.shape[2], options.get("q0"))
        out, lse = attention(q, k, v, name, params=reference.PATTERNS[name][0], return_lse=True, **options)
        self.assertEqual((out.dtype, lse.dtype), (q.dtype, torch.float32))
        wanted = exact(q, k, v, mask, options.get("scale"))
        found = torch.autograd.grad([out, lse], [q, k, v], [d_out, d_lse])
        gradients = torch.autograd.grad(wanted, [q, k, v], [d_out.double(), d_lse.double()])
        for what, a, b in zip(("out", "lse", "dq", "dk", "dv"), (out, lse, *found), (*wanted, *gradients)):
            self.assertLess((a - b).abs().max().item(), bound, what)

    def test_patterns_and_types(self):
        for name, (dtype, bound) in itertools.product(reference.PATTERNS, TYPES.items()):
            with self.subTest(pattern=name, dtype=dtype):
                self.check(name, tensors(dtype=dtype), bound)

    def test_grouped_heads_another_length_scale_position_and_value_dim(self):
        bound = list(TYPES.values())[0]
        self.check("strided", tensors(1, 6, 3, 20, 50, value_dim=48), bound, scale=0.3)
        self.check("strided", tensors(1, 6, 3, 20, 50, value_dim=48), bound, q0=11)

    def test_directional_differences(self):
        """(f(x + e u) - f(x - e u)) / 2 e is grad f . u, in f32 within 1e-3 of what it is for directions on average."""
        for name, (params, _) in reference.PATTERNS.items():
            q, k, v, d_out, d_lse = tensors(dtype=torch.float32)

            def f(*x):
                out, lse = attention(*x, name, params=params, return_lse=True)
                return (out.double() * d_out).sum() + (lse.double() * d_lse).sum()
            gradients = torch.autograd.grad(f(q, k, v), [q, k, v])
            step = 1e-3
            with torch.no_grad():
                for i, gradient in enumerate(gradients):
                    u = torch.randn(q.shape, generator=torch.Generator().manual_seed(i)).to(DEVICE)
                    above, below = (f(*(x + sign * step * u if j == i else x for j, x in enumerate((q, k, v)))) for sign in (1, -1))
                    slope = (gradient.double() * u).sum()
                    self.assertLess(((above - below) / (2 * step) - slope).abs().item(), 1e-3 * gradient.norm().item(), (name, i))

    def test_torchs_flex_attention(self):
        """Its forward on the CPU; it has no gradients there."""
        def predicates(heads):
            yield "causal", lambda b, h, q, k: k <= q
            yield "local", lambda b, h, q, k: (k <= q) & (q - k < reference.L)
            yield "strided", lambda b, h, q, k: (k <= q) & torch.where(h % 2 == 0, q - k < reference.L, (q - k) % reference.L == 0)
            yield "fixed", lambda b, h, q, k: (k <= q) & ((q // reference.L == k // reference.L)
                                                          | (k % reference.L >= reference.L - reference.C))
        q, k, v, _, _ = tensors(1, 4, 2, 128, grad=False)
        for name, predicate in predicates(4):
            block_mask = create_block_mask(predicate, 1, 4, 128, 128, device=DEVICE)
            wanted, lse = torchs_flex_attention(q, k, v, block_mask=block_mask, enable_gqa=True, return_lse=True)
            pattern = sparsec.Pattern(name, reference.PATTERNS[name][0])
            found = flex_attention(q, k, v, block_mask=pattern, enable_gqa=True, return_lse=True)
            self.assertLess((found[0] - wanted).abs().max().item(), list(TYPES.values())[0], name)
            self.assertLess((found[1] - lse).abs().max().item(), list(TYPES.values())[0], name)
            out, more = flex_attention(q, k, v, block_mask=pattern, enable_gqa=True, return_aux=AuxRequest(lse=True))
            self.assertTrue(torch.equal(out, found[0]) and torch.equal(more.lse, found[1]) and more.max_scores is None)
        dense = torchs_flex_attention(q, k, v, enable_gqa=True)
        self.assertLess((flex_attention(q, k, v, enable_gqa=True) - dense).abs().max().item(), list(TYPES.values())[0])


STRIDED = {"pattern": "strided", "params": reference.PATTERNS["strided"][0]}


class Tensors(unittest.TestCase):
    def test_layouts_and_strides(self):
        q, k, v, d_out, _ = tensors()
        out = attention(q, k, v, **STRIDED)
        gradients = torch.autograd.grad(out, [q, k, v], d_out)
        packed = torch.cat([q, k, v], -1).detach().requires_grad_()
        odd = [torch.nn.functional.pad(x.detach(), (1, 0))[..., 1:].requires_grad_() for x in (q, k, v)]
        self.assertNotEqual(odd[0].stride(-2) % 4, 0)
        for name, given, layout in [("bshd", [x.detach().transpose(1, 2).contiguous().requires_grad_() for x in (q, k, v)], "bshd"),
                                    ("a view of bshd", [x.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
                                                        for x in (q, k, v)], "bhsd"),
                                    ("rows of odd length", odd, "bhsd"),
                                    ("columns first", [x.detach().mT.contiguous().mT.requires_grad_() for x in (q, k, v)], "bhsd")]:
            with self.subTest(name):
                turn = (lambda x: x.transpose(1, 2)) if layout == "bshd" else (lambda x: x)
                found = attention(*given, layout=layout, **STRIDED)
                self.assertTrue(torch.equal(turn(found), out))
                for a, b in zip(torch.autograd.grad(found, given, turn(d_out)), gradients):
                    self.assertTrue(torch.equal(turn(a), b))
        found = attention(*packed.split(32, -1), **STRIDED)
        self.assertTrue(torch.equal(found, out))
        self.assertTrue(torch.equal(torch.autograd.grad(found, packed, d_out)[0], torch.cat(gradients, -1)))

    def test_gradients_of_any_form(self):
        q, k, v, _, _ = tensors()
        out, lse = attention(q, k, v, return_lse=True, **STRIDED)
        expanded = torch.autograd.grad(out.sum(), [q, k, v], retain_graph=True)
        whole = torch.autograd.grad(out, [q, k, v], torch.ones_like(out), retain_graph=True)
        self.assertTrue(all(torch.equal(a, b) for a, b in zip(expanded, whole)))
        [by_lse] = torch.autograd.grad(lse.sum(), [q])
        self.assertGreater(by_lse.abs().max().item(), 0)

    def test_sparsec_compile_takes_torchs_tensors(self):
        q, k, v, d_out, _ = tensors(grad=False)
        program = sparsec.compile(**STRIDED, head_dim=32, dtype=q.dtype, device=q.device)
        out, lse = program.forward(q, k, v)
        self.assertTrue(torch.equal(out, attention(q, k, v, **STRIDED)))
        gradients = program.backward(q, k, v, out, lse, d_out)
        given = [x.clone().requires_grad_() for x in (q, k, v)]
        for a, b in zip(gradients, torch.autograd.grad(attention(*given, **STRIDED), given, d_out)):
            self.assertTrue(torch.equal(a, b))
        with self.assertRaises(sparsec.InputError) as raised:
            program.forward(q, given[1], v)
        self.assertEqual(str(raised.exception), "k: requires gradients, which are not recorded here: call "
                                                "sparsec.torch.attention, or pass k.detach()")


class Under(unittest.TestCase):
    def setUp(self):
        self.q, self.k, self.v, self.d_out, _ = tensors()
        self.given = [self.q, self.k, self.v]

    def block(self, q, k, v):
        out, lse = attention(q * 1.5, k, v, return_lse=True, **STRIDED)
        return (out * 2).sum() + lse.sum()

    def gradients(self, function):
        return torch.autograd.grad(function(*self.given), self.given)

    def assertSame(self, found):
        for a, b in zip(found, self.gradients(self.block)):
            self.assertTrue(torch.equal(a, b))

    def test_compile_without_a_graph_break(self):
        for how in [{"backend": "aot_eager"}, *([{}, {"mode": "reduce-overhead"}] if DEVICE == "cuda" else [])]:
            with self.subTest(how):
                compiled = torch.compile(self.block, fullgraph=True, **how)
                for _ in range(4):  # the third replays a captured graph, with reduce-overhead
                    found = [x.clone() for x in self.gradients(compiled)]
                for a, b in zip(found, self.gradients(self.block)):
                    self.assertLessEqual((a - b).abs().max().item(), 0 if "backend" in how else 0.02 * b.abs().max().item())
        compiled = torch.compile(lambda q, k, v: attention(q, k, v, {"name": "w", "heads": [{"attend": "local(9)"}]}, q0=None),
                                 fullgraph=True, backend="aot_eager", dynamic=True)
        for n in (40, 50, 60):
            given = [x.detach()[:, :, :n] for x in self.given]
            self.assertTrue(torch.equal(compiled(*given), attention(*given, sparsec.Pattern(expr="local(9)"))))

    def test_operations_by_opcheck(self):
        q, k, v = (x.detach() for x in self.given)
        call = (sparsec.torch._ops.spec_of("strided", STRIDED["params"], None), None, None, "bhsd")
        checks = ("test_schema", "test_faketensor")
        torch.library.opcheck(torch.ops.sparsec.attention_forward, (q, k, v, *call), test_utils=checks)
        out, lse = torch.ops.sparsec.attention_forward(q, k, v, *call)
        torch.library.opcheck(torch.ops.sparsec.attention_backward, (self.d_out, None, q, k, v, out, lse, *call), test_utils=checks)

    def test_checkpoint(self):
        for reentrant in (False, True):
            self.assertSame(self.gradients(lambda *x: torch.utils.checkpoint.checkpoint(self.block, *x, use_reentrant=reentrant))
                            if not reentrant else self.reentrant())

    def reentrant(self):
        for x in self.given:
            x.grad = None
        torch.utils.checkpoint.checkpoint(self.block, *self.given, use_reentrant=True).backward()
        return [x.grad for x in self.given]

    def test_selective_checkpoint_by_the_operations_name(self):
        from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts
        runs = []

        def policy(context, operation, *_, **__):
            if operation is torch.ops.sparsec.attention_forward.default:
                runs.append(context.is_recompute)
                return CheckpointPolicy.MUST_SAVE
            return CheckpointPolicy.PREFER_RECOMPUTE
        self.assertSame(self.gradients(lambda *x: torch.utils.checkpoint.checkpoint(
            self.block, *x, use_reentrant=False, context_fn=lambda: create_selective_checkpoint_contexts(policy))))
        self.assertIn(False, runs)

    def test_double_backward_is_refused(self):
        [dq] = torch.autograd.grad(attention(*self.given, **STRIDED).sum(), [self.q], create_graph=True)
        with self.assertRaises(NotImplementedError) as raised:
            dq.sum().backward()
        self.assertEqual(str(raised.exception),
                         "sparsec.torch.attention: double backward (the gradient of its gradient) is not supported")

    def test_two_processes(self):
        """examples/python/distributed.py: by gradients that DDP averaged, two processes have the same weights."""
        if not torch.distributed.is_gloo_available():
            self.skipTest("torch has no gloo")
        script = pathlib.Path(__file__).resolve().parents[2] / "examples/python/distributed.py"
        processes = 2 if DEVICE == "cpu" else min(2, torch.cuda.device_count())
        done = subprocess.run([sys.executable, "-B", script, "--processes", str(processes), "--steps", "2", "--device", DEVICE],
                              text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, f"{processes} processes, {'gloo' if DEVICE == 'cpu' else 'nccl'}")
        self.assertRegex(done.stdout, r"the same weights in all processes\n")


CAPTURE = """
import sparsec, sparsec.torch, torch
q = torch.randn(1, 2, 48, 32, dtype=torch.bfloat16, device="cuda")
sparsec.torch.attention(q, q, q, "local")
with torch.cuda.graph(torch.cuda.CUDAGraph()):
    try:
        sparsec.torch.attention(q[:, :, :32], q, q, "local")
    except sparsec.UnpreparedError:
        print("refused")
"""


@unittest.skipUnless(DEVICE == "cuda", "skipped: SPARSEC_TEST_DEVICE is not cuda")
class OnCuda(unittest.TestCase):
    def capture(self, call):
        """A captured call, and what it returned."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = call()
        return graph, results

    def test_captured_graphs(self):
        """Replays read what is in the tensors then; forward and backward."""
        q, k, v, d_out, _ = tensors()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())

        def call():
            out = attention(q, k, v, **STRIDED)
            return out, *torch.autograd.grad(out, [q, k, v], d_out)
        with torch.cuda.stream(side):
            call()
        torch.cuda.current_stream().wait_stream(side)
        graph, found = self.capture(call)
        with torch.no_grad():
            for x in (q, k, v, d_out):
                x.copy_(torch.randn_like(x))
        graph.replay()
        for a, b in zip(found, call()):
            self.assertTrue(torch.equal(a, b))

    def test_a_new_shape_in_a_capture_is_an_error(self):
        """In a process of its own: a capture that went wrong may leave torch's generator unusable."""
        done = subprocess.run([sys.executable, "-B", "-c", CAPTURE], text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (0, "refused\n"), done.stderr)

    def test_streams(self):
        """A launch is on torch's current stream, behind what is there."""
        q, k, v, _, _ = tensors(grad=False)
        wanted = attention(q, k, v, **STRIDED)
        given = [torch.zeros_like(x) for x in (q, k, v)]
        side = torch.cuda.Stream()
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            torch.cuda._sleep(50_000_000)
            for to, x in zip(given, (q, k, v)):
                to.copy_(x)
            found = attention(*given, **STRIDED)
        side.synchronize()
        self.assertTrue(torch.equal(found, wanted))


class Refused(unittest.TestCase):
    def test_texts(self):
        q, k, v, _, _ = tensors()
        for call, text in [
            (lambda: attention(q, k, v, "strided", inputs={"document": q}),
             "inputs: expected None (patterns have no run-time inputs yet), found dict"),
            (lambda: attention(q, k, v, "strided", sinks=q), "sinks: expected None (there are no learned sinks yet), found Tensor"),
            (lambda: attention(q, k, v, "strided", layout="sbhd"), "layout: expected bhsd or bshd, found sbhd"),
            (lambda: attention(q[0], k, v, "strided"), "q: expected 4 dimensions, found 3"),
            (lambda: attention(q, k[0], v, "strided"), "k: expected 4 dimensions, found 3"),
            (lambda: attention(q, k, v[:, :, 1:], "strided"), "v: expected shape [2, 4, 70, 32], found [2, 4, 69, 32]"),
            (lambda: attention(q, k[:, :3], v[:, :3], "strided"), "shape: expected kv heads that divide the 4 heads, found 3"),
            (lambda: attention(q, k, v.double(), "strided"), "v: expected f32, f16 or bf16, found torch.float64"),
            (lambda: attention(q.double(), k.double(), v.double(), "strided"),
             "dtype: expected f32, f16 or bf16, found torch.float64"),
            (lambda: attention(q, k, v, "stridet"), "there is no pattern 'stridet' in the zoo: did you mean 'strided'?\n"
                                                    "note: a path has a '/' or ends in .yaml"),
            (lambda: flex_attention(q, k, v, score_mod=abs),
             "score_mod: expected None (a pattern says who attends to whom, not by how much), found abs"),
            (lambda: flex_attention(q, k, v, kernel_options={"BLOCK_M": 64}),
             "kernel_options: expected None (they are of torch's kernels), found {'BLOCK_M': 64}"),
            (lambda: flex_attention(q, k, v, block_mask=create_block_mask(lambda b, h, q, k: q >= k, 1, 1, 70, 70, device=DEVICE)),
             "block_mask: expected a pattern of sparsec, found torch's BlockMask"),
            (lambda: flex_attention(q, k[:, :2], v[:, :2]), "enable_gqa: expected True, since query has 4 heads and key 2"),
            (lambda: flex_attention(q, k, v, return_aux=AuxRequest(max_scores=True)),
             "return_aux.max_scores: expected False, found True"),
        ]:
            with self.subTest(text=text):
                with self.assertRaises(sparsec.InputError) as raised:
                    call()
                self.assertEqual(str(raised.exception), text)


class Imports(unittest.TestCase):
    STEPS = {
        "torch": "import torch\nassert torch.compile(lambda x: x + 1, backend='aot_eager')(torch.ones(2))[0] == 2\n",
        "sparsec": "import sparsec\nsparsec.compile('local', head_dim=16, operations='forward', device='cpu')\n",
        "sparsec.torch": "import torch, sparsec.torch\nx = torch.ones(1, 1, 8, 16)\nassert sparsec.torch.attention(x, x, x, 'local')[0, 0, 0, 0] == 1\n",
        # For a GPU that need not be there: triton has an LLVM of its own.
        "triton": "import triton, triton.language as tl\nfrom triton.backends.compiler import GPUTarget\nfrom triton.compiler import ASTSource\n"
                  "@triton.jit\ndef store_one(x):\n    tl.store(x, 1.0)\n"
                  "made = triton.compile(ASTSource(fn=store_one, signature={'x': '*fp32'}), target=GPUTarget('cuda', 80, 32))\n"
                  "assert 'st.global' in made.asm['ptx']\n"}

    def test_any_order(self):
        """torch, sparsec and, where it is, triton, each compiling, in one process."""
        steps = dict(self.STEPS)
        if importlib.util.find_spec("triton") is None:
            steps.pop("triton")
        with tempfile.TemporaryDirectory() as folder:
            for number, order in enumerate((list(steps), list(reversed(steps)))):
                script = pathlib.Path(folder) / "program.py"  # triton reads the text of its kernels
                script.write_text("".join(steps[each] for each in order))
                environment = {**os.environ, "SPARSEC_CACHE": "off", "TRITON_CACHE_DIR": f"{folder}/{number}"}
                done = subprocess.run([sys.executable, "-B", script], text=True, capture_output=True, env=environment)
                self.assertEqual(done.returncode, 0, f"{order}\n{done.stderr}")


if __name__ == "__main__":
    unittest.main()
