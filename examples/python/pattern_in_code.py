"""A pattern made in code: dilated windows that widen from head to head, as a dict in place of a pattern file.

    python3 examples/python/pattern_in_code.py
"""
import numpy as np
import sparsec


def dilated(heads, window):
    """Head i sees `window` keys, each 2^i apart. Any number of heads, no line of YAML."""
    return {"name": "dilated-heads", "params": {"w": window},
            "heads": [{"name": f"every{2 ** i}", "attend": f"causal and every({2 ** i}) and q - k < {2 ** i} * w"}
                      for i in range(heads)]}


pattern = dilated(heads=4, window=8)
mask = sparsec.mask(pattern, n=256)
print("keys of the last query:", mask[:, -1].sum(-1))

attention = sparsec.compile(pattern, head_dim=32, dtype=np.float32, device="cpu")
for head in attention.kernels["heads"]:
    [part] = head["passes"][0]["parts"]
    print(f"{head['name']}: {part['attend']}; keys in order {part['key_order']}")

q, k, v = np.random.default_rng(0).standard_normal((3, 1, 4, 256, 32), dtype=np.float32)
out, lse = attention.forward(q, k, v)
scores = np.where(mask, q @ k.swapaxes(-1, -2) / 32 ** 0.5, -np.inf)
print("lse is the mask's:", np.allclose(lse, np.log(np.exp(scores).sum(-1)), atol=1e-5))

# Errors say where, in the text that was made.
try:
    sparsec.compile({"name": "wrong", "heads": [{"attend": "causal and evry(4)"}]}, device="cpu")
except sparsec.InputError as error:
    print(error)
