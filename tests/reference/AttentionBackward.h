// The gradients of attention written the plain way.
//
//   p = exp(scale q k^T - lse) where q may attend to k     dp = dout v^T
//   delta = sum(dout * out) - dlse                         ds = p (dp - delta)
//   dq = scale ds k        dk = scale ds^T q               dv = p^T dout
//
// of every query head, dk and dv summed over the heads that share a kv head, from the out and lse
// that are given: with both 0 and no scores every p is 1, and the gradients count pairs. `exact` in
// float64 throughout; `plain` as an unfused implementation in the tensors' type would give them:
// scores and sums in f32, p and ds rounded to the type.
//
// `plain` has to be given what the kernel is given, the out in the type and the lse in f32. With an
// lse from its own scores, the rounding of a score cancels in p: a row of one key has p = 1
// exactly, where the kernel has an exp(score - lse) that is as far off as the score is.
#pragma once

#include "tests/reference/Attention.h"

namespace sparsec::reference {

struct BackwardProblem {
  AttentionProblem forward;
  std::vector<float> dout; ///< [batch, heads, nq, valueDim], values of the tensors' type
  std::vector<float> dlse; ///< [batch, heads, nq]; empty: none
};

template <class T>
struct Gradients {
  std::vector<T> dq, dk, dv; ///< like q, k, v
};

Gradients<double> exactBackward(const BackwardProblem &problem,
                                const AttentionResult<double> &forward);
/// `round` rounds to the tensors' type.
Gradients<float> plainBackward(const BackwardProblem &problem,
                               const AttentionResult<float> &forward, float (*round)(float));

/// Of each element how much its sum adds up without regard to signs, in every sum that leads to it:
/// sum of p (1 + s) (dp + delta) |x|, of dv p (1 + s) |dout|, where s, dp and delta stand for
/// scale sum |q k|, sum |dout v| and sum |dout out| + |dlse|: a score that is off by 2^-24 s is a p
/// that is off by as much of itself. What sums in f32 cannot be expected to stay below, in units of
/// 2^-24: where terms cancel, `plain` gives one sample of it, which may be 0.
Gradients<double> sizesBackward(const BackwardProblem &problem,
                                const AttentionResult<double> &forward);

} // namespace sparsec::reference
