// Tensors of a shape, filled with random numbers, and the calls on them.
//
//   CallTensors on({.batch = 1, .heads = 2, .nq = 48, .n = 48}, 32);
//   sparsec_forward_call forward = on.forward(Workspace(plan, SPARSEC_FORWARD));
#pragma once

#include "tests/runtime/c/Interface.h"

namespace sparsec::test {

struct CallTensors {
  /// Every head dim is `dim`; no kv heads are as many as there are heads.
  CallTensors(sparsec_shape asked, int64_t dim)
      : shape(withKvHeads(asked)), q({shape.batch, shape.heads, shape.nq, dim}, 1),
        k({shape.batch, shape.kv_heads, shape.n, dim}, 2),
        v({shape.batch, shape.kv_heads, shape.n, dim}, 3),
        dout({shape.batch, shape.heads, shape.nq, dim}, 4),
        dlse({shape.batch, shape.heads, shape.nq}, 5), out(q.shape), lse(dlse.shape), dq(q.shape),
        dk(k.shape), dv(v.shape) {}

  sparsec_forward_call forward(const Workspace &workspace) {
    return {.size = sizeof(sparsec_forward_call),
            .q = &q.tensor,
            .k = &k.tensor,
            .v = &v.tensor,
            .out = &out.tensor,
            .lse = &lse.tensor,
            .workspace = workspace.address,
            .workspace_bytes = workspace.bytes};
  }
  /// Of a function that depends on lse, too.
  sparsec_backward_call backward(const Workspace &workspace) {
    return {.size = sizeof(sparsec_backward_call),
            .q = &q.tensor,
            .k = &k.tensor,
            .v = &v.tensor,
            .out = &out.tensor,
            .lse = &lse.tensor,
            .dout = &dout.tensor,
            .dlse = &dlse.tensor,
            .dq = &dq.tensor,
            .dk = &dk.tensor,
            .dv = &dv.tensor,
            .workspace = workspace.address,
            .workspace_bytes = workspace.bytes};
  }

  sparsec_shape shape;
  CpuTensor q, k, v, dout, dlse, out, lse, dq, dk, dv;

private:
  static sparsec_shape withKvHeads(sparsec_shape shape) {
    shape.size = sizeof shape;
    if (shape.kv_heads == 0)
      shape.kv_heads = shape.heads;
    return shape;
  }
};

} // namespace sparsec::test
