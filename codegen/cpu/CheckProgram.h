// What the CPU target refuses, before anything is emitted: operations it does not have, constants
// that are no splats, tiles of odd sizes. Each an error at its operation.
#pragma once

#include "codegen/cpu/plan/Dataflow.h"

namespace sparsec::cpu {

mlir::LogicalResult checkProgram(tile::KernelOp kernel);

} // namespace sparsec::cpu
