// Holds what a run left in its outputs against what is expected: rows of a report.
#pragma once

#include "tools/verify/Verify.h"

namespace sparsec {

/// The rows of all groups and outputs. `faults`: what is already known to be wrong with a group.
std::vector<VerifyRow> judge(const VerifyCase &c, Trial &trial, const Tensors &found,
                             std::span<const std::string> faults);

} // namespace sparsec
