"""The attention functions that OpenAI released with the Sparse Transformer, on sparsec's kernels.

    python3 examples/openai_sparse_attention.py             # compares each mode with a mask, on the CPU

Names, arguments and order are those of attention.py in github.com/openai/sparse_attention; tensors are torch's, [batch, n, width]
with all heads side by side, as there. `attn_mode`:

    all       every position before, and the position itself
    local     the last local_attn_ctx positions
    strided   every local_attn_ctx-th position before: the second step of strided attention, whose first is local
    fixed     the position's own block of local_attn_ctx, and of every block a summary, in units of `blocksize`: the last
              `vertsize` units; with num_verts > 1 head h takes the (h mod num_verts)-th `vertsize` units from the end
"""
import sparsec
import sparsec.torch
import torch


def pattern(heads, attn_mode, local_attn_ctx=None, blocksize=32, num_verts=4, vertsize=1):
    """A released mode as a pattern of sparsec."""
    if attn_mode == "all":
        return sparsec.Pattern("causal")
    if attn_mode == "local":
        return sparsec.Pattern("local", {"l": local_attn_ctx})
    if attn_mode == "strided":
        return sparsec.Pattern(expr=f"causal and every({local_attn_ctx})")
    if attn_mode != "fixed":
        raise ValueError(f"attn mode {attn_mode} invalid")
    assert local_attn_ctx % blocksize == 0 and heads % num_verts == 0
    assert local_attn_ctx // blocksize % vertsize == 0 and num_verts * vertsize <= local_attn_ctx // blocksize
    width = vertsize * blocksize  # positions of a summary
    if num_verts == 1:
        return sparsec.Pattern("fixed", {"l": local_attn_ctx, "c": width})
    return sparsec.Pattern({
        "name": "fixed-verts",
        "params": {"l": local_attn_ctx, "c": width},
        "where": {"vert(i)": "k % l // c == l // c - 1 - i"},
        "heads": [{"name": f"vert{i}", "attend": f"causal and (same(l) or vert({i}))"} for i in range(num_verts)],
    })


def attention_impl(q, k, v, heads, attn_mode, local_attn_ctx=None):
    """[batch, n, width], with gradients. The released one computes all pairs and masks them; this one skips them."""
    return blocksparse_attention_impl(q, k, v, heads, attn_mode, local_attn_ctx)


def blocksparse_attention_impl(q, k, v, heads, attn_mode, local_attn_ctx=None, blocksize=32, num_verts=4, vertsize=1):
    """[batch, n, width], with gradients. n need not be a multiple of anything, and nothing is transposed."""
    q, k, v = (x.unflatten(-1, (heads, -1)) for x in (q, k, v))
    which = pattern(heads, attn_mode, local_attn_ctx, blocksize, num_verts, vertsize)
    return sparsec.torch.attention(q, k, v, which, layout="bshd").flatten(-2)


def masked(q, k, v, heads, attn_mode, local_attn_ctx=None, blocksize=32, num_verts=4, vertsize=1):
    """The same in float64 by masks, built as the released code builds its layouts."""
    n = q.shape[1]
    i, j = torch.arange(n)[:, None], torch.arange(n)
    mask = (j <= i).repeat(heads, 1, 1)
    if attn_mode == "local":
        mask &= i - j < local_attn_ctx
    if attn_mode == "strided":
        mask &= (i - j) % local_attn_ctx == 0
    if attn_mode == "fixed":
        stride = local_attn_ctx // blocksize
        verts = torch.arange(stride - 1, -1, -1).reshape(-1, vertsize)
        for head in range(heads):
            summary = torch.isin(j // blocksize % stride, verts[head % num_verts])
            mask[head] &= (i // local_attn_ctx == j // local_attn_ctx) | summary
    q, k, v = (x.double().unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask, -torch.inf)
    return (torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(-2)


def main():
    torch.manual_seed(0)
    batch, n, heads, width = 2, 128, 4, 64
    inputs = [torch.randn(batch, n, width, requires_grad=True) for _ in range(3)]
    for arguments in [("all",), ("local", 16), ("strided", 16), ("fixed", 32, 4, 1, 2), ("fixed", 32, 4, 4, 2), ("fixed", 32, 8, 2)]:
        out, exact = (each(*inputs, heads, *arguments) for each in (blocksparse_attention_impl, masked))
        d_out = torch.randn_like(out)
        found = torch.autograd.grad(out, inputs, d_out)
        gradients = torch.autograd.grad(exact, inputs, d_out.double())
        furthest = max((a - b).abs().max().item() for a, b in zip([out, *found], [exact, *gradients]))
        assert furthest < 1e-5, (arguments, furthest)
        print(f"{str(arguments):22} equals its mask within {furthest:.0e}, gradients too")


if __name__ == "__main__":
    main()
