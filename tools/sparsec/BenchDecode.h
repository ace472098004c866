// What `sparsec bench --op decode` times: one new query of each sequence, at the last of n
// positions, over the keys and values that forward is timed on.
#pragma once

#include "runtime/AttentionDecode.h"
#include "tools/bench/Contestant.h"
#include "tools/bench/ForwardRun.h"
#include "tools/sparsec/Plan.h"

namespace sparsec::cli {

/// Of one layer. Of a predicate by which a query sees later keys too, dense attention's say, its
/// own and earlier ones are timed: there are no others at the last position.
Result<Contestant> decodeContestant(Device &device, const Plan &plan, const Layer &layer,
                                    const ForwardTensors &tensors);

} // namespace sparsec::cli
