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

/// Of a tensor with a row for each query or key, and of one with a number for each query.
TensorSpec matrixSpec(const ForwardCase &c, int64_t heads, int64_t rows, int64_t columns);
TensorSpec perRowSpec(const ForwardCase &c);
/// q, k, v, out and lse.
Tensors tensorsOf(const reference::AttentionProblem &problem, const ForwardCase &c);
/// On tensors that are uploaded.
AttentionCall callOf(const ForwardCase &c, const Tensors &tensors);
/// Launches an entry's kernels for some heads, and waits: what the device says went wrong, empty
/// when nothing did.
Result<std::string> launch(Device &device, const Attention &attention, const ForwardCase &c,
                           const Heads &heads, const Tensors &tensors);
/// All heads by one kernel, from upload to download.
Result<void> run(Device &device, const AttentionPart &part, const ForwardCase &c, Tensors &tensors);

} // namespace sparsec
