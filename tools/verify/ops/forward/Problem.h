// The inputs of a case of attention forward: as numbers for the reference, as guarded tensors for a
// device, as a call.
#pragma once

#include "runtime/Attention.h"
#include "tests/reference/Attention.h"
#include "tools/verify/Tensors.h"
#include "tools/verify/ops/forward/Case.h"

namespace sparsec {

/// Numbers that the case's type holds exactly.
reference::AttentionProblem makeProblem(const Pattern &pattern, const ForwardCase &c);

/// q, k, v, out and lse.
Tensors tensorsOf(const reference::AttentionProblem &problem, const ForwardCase &c);
/// On tensors that are uploaded.
AttentionCall callOf(const ForwardCase &c, const Tensors &tensors, const Heads &heads);
/// All heads by one kernel, from upload to download.
Result<void> run(Device &device, const AttentionPart &part, const ForwardCase &c, Tensors &tensors);

} // namespace sparsec
