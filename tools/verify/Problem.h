// The inputs of a case: as numbers for the reference and as guarded tensors for a device.
#pragma once

#include "tests/reference/Attention.h"
#include "tools/verify/Case.h"

namespace sparsec {

/// Numbers that the case's type holds exactly.
reference::AttentionProblem makeProblem(const Pattern &pattern, const VerifyCase &c);

/// The tensors of one run.
struct Tensors {
  HostTensor q, k, v, out, lse;

  Tensors(const reference::AttentionProblem &problem, const VerifyCase &c);
  Result<void> upload(Device &device);
  Result<void> download(Device &device); ///< out and lse
  AttentionCall call(const VerifyCase &c, const Heads &heads) const;
  /// All heads by one kernel, from upload() to download().
  Result<void> run(Device &device, const AttentionPart &part, const VerifyCase &c);
  /// What a run did to memory that it should not have, or did not and should have; empty: nothing.
  Result<std::string> inspect(const VerifyCase &c, Device &device) const;
};

} // namespace sparsec
