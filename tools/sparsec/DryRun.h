// What a step of training is made of, without running it: its calls, their memory, and the longest
// sequence that fits a GPU.
#pragma once

#include "model/Transformer.h"
#include "tools/sparsec/Command.h"

namespace sparsec::cli {

/// `planning`: of the target that it would run on.
Result<void> dryRun(const Session &session, const Transformer &model, Machine &planning);

/// Runs a step on random tokens call by call, and prints what each operation takes: medians.
Result<void> timeStep(const Session &session, const Transformer &model, Machine &machine);

} // namespace sparsec::cli
