// The blocks that leave room for a kernel on a target, by what its operation needs of them. No
// MLIR: each back end says it beside its passes.
#pragma once

#include "kernel/Request.h"

namespace sparsec {

/// The block that compile() takes for this request: what it asks for is kept.
Result<Block> chooseBlock(const Request &request);
/// The blocks that leave room for a kernel of this request, what chooseBlock() takes first; the
/// request's own where it has one.
Result<std::vector<Block>> possibleBlocks(const Request &request);
/// Whether its kernels can take their blocks as row_forms. The widest GPU kernels have no registers
/// left for them and take tables alone.
bool takesRowForms(const Request &request);

} // namespace sparsec
