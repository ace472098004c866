// The inputs of a case of attention backward: as numbers for the reference, as guarded tensors for
// a device, as a call.
#pragma once

#include "runtime/AttentionBackward.h"
#include "tests/reference/AttentionBackward.h"
#include "tools/verify/Tensors.h"
#include "tools/verify/ops/backward/Case.h"

namespace sparsec {

/// Numbers that the case's type holds exactly.
reference::BackwardProblem makeProblem(const Pattern &pattern, const BackwardCase &c);
/// The out and lse whose gradients are taken, in float64: those of the reference, or 0 where pairs
/// are counted.
reference::AttentionResult<double> forwardOf(const reference::BackwardProblem &problem,
                                             const BackwardCase &c);

/// The same as tensors hold it.
reference::AttentionResult<float> rounded(const reference::AttentionResult<double> &forward,
                                          DType dtype);

/// q, k, v, out, lse, dout, dlse, and dq, dk, dv.
Tensors tensorsOf(const reference::BackwardProblem &problem,
                  const reference::AttentionResult<float> &forward, const BackwardCase &c);
/// On tensors that are uploaded.
AttentionBackwardCall callOf(const BackwardCase &c, const Tensors &tensors);

} // namespace sparsec
