"""Strided attention and its gradients on arrays of numpy: the shortest program there is.

    python3 examples/python/arrays.py
"""
import numpy as np
import sparsec

attention = sparsec.compile("strided", params={"l": 32}, head_dim=64, dtype="f32", device="cpu")

random = np.random.default_rng(0)
q, k, v, d_out = (random.standard_normal((1, 8, 1024, 64), dtype=np.float32) for _ in range(4))  # [batch, heads, n, dim]
out, lse = attention.forward(q, k, v)
dq, dk, dv = attention.backward(q, k, v, out, lse, d_out)

# The same by a mask, for head 0 at the last position.
mask = sparsec.mask("strided", n=1024, params={"l": 32})
scores = np.where(mask[0, -1], k[0, 0] @ q[0, 0, -1] / 8, -np.inf)
weights = np.exp(scores - scores.max())
print(attention)
print(f"furthest from a mask: {np.abs(out[0, 0, -1] - weights @ v[0, 0] / weights.sum()).max():.1e}")

# What was skipped, and what a query sees of a picture of 6 x 6.
for head in sparsec.stats("strided", n=1024, params={"l": 32}, target="cpu")["heads"]:
    print(f"{head['name']}: {head['density']:.1%} of all pairs, in token order {head['order']}")
print(sparsec.show("strided", grid="6x6", params={"l": 6}))
