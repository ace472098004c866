"""Attention in float64 with numpy: what tests compare with. Sees nothing of sparsec."""
import numpy as np

# Who attends to whom in the zoo's patterns at these parameters, as functions of head, query and key.
L, C = 16, 4
PATTERNS = {
    "causal": ({}, lambda h, q, k: k <= q),
    "local": ({"l": L}, lambda h, q, k: (0 <= q - k) & (q - k < L)),
    "strided": ({"l": L}, lambda h, q, k: (k <= q) & np.where(h % 2 == 0, q - k < L, (q - k) % L == 0)),
    "fixed": ({"l": L, "c": C}, lambda h, q, k: (k <= q) & ((q // L == k // L) | (k % L >= L - C))),
}


def mask(attends, heads, nq, n, q0=None):
    """bool [heads, nq, n]"""
    h, q, k = np.arange(heads)[:, None, None], np.arange(nq)[:, None], np.arange(n)
    return np.broadcast_to(attends(h, q + (n - nq if q0 is None else q0), k), (heads, nq, n))


def forward(q, k, v, mask, scale=None):
    """(out, lse, weights) of q [batch, heads, nq, dim], k and v [batch, kv_heads, n, dim]"""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1) for x in (k, v))
    scores = q @ k.swapaxes(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = np.where(mask, scores, -np.inf)
    most = scores.max(-1, keepdims=True, initial=-1e30)
    weights = np.exp(scores - most)
    total = weights.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(total > 0, weights / total, 0)
        lse = (most + np.log(total))[..., 0]
    return weights @ v, lse, weights


def backward(q, k, v, mask, d_out, d_lse=None, scale=None):
    """(dq, dk, dv)"""
    groups = q.shape[1] // k.shape[1]
    out, _, weights = forward(q, k, v, mask, scale)
    q, k, v, d_out = (np.asarray(x, np.float64) for x in (q, k, v, d_out))
    wide_k, wide_v = (np.repeat(x, groups, axis=1) for x in (k, v))
    delta = (d_out * out).sum(-1, keepdims=True) - (0 if d_lse is None else np.asarray(d_lse, np.float64)[..., None])
    d_scores = weights * (d_out @ wide_v.swapaxes(-1, -2) - delta) * (q.shape[-1] ** -0.5 if scale is None else scale)

    def summed(x):
        return x.reshape(x.shape[0], k.shape[1], groups, *x.shape[2:]).sum(2)
    return d_scores @ wide_k, summed(d_scores.swapaxes(-1, -2) @ q), summed(weights.swapaxes(-1, -2) @ d_out)


def furthest(found, exact):
    """The largest difference; equal infinities are none."""
    found, exact = np.asarray(found, np.float64), np.asarray(exact, np.float64)
    assert found.shape == exact.shape, (found.shape, exact.shape)
    with np.errstate(invalid="ignore"):
        return np.where(found == exact, 0, np.abs(found - exact)).max(initial=0)
