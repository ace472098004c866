// A run: steps until the schedule ends or `until`, with its log, validations and checkpoints.
//
//   step 1          train line                       the first stands alone
//   step 10         train line: mean since step 1    every.log
//   step 250        valid line, best.safetensors     every.valid, and the last step
//   step 500        checkpoint                       every.checkpoint, and the last step
//
// A run that goes on from a checkpoint gives the same bits as one that was never stopped, its log
// included but for keys of time.
#pragma once

#include "model/Trainer.h"

namespace sparsec {

/// What is said about a run while it goes.
struct TrainReport {
  int64_t step = 0, steps = 0;
  double bits = 0, gradNorm = 0, tokensPerSecond = 0, secondsLeft = 0;
  std::optional<double> validBits;
};

struct TrainRun {
  RunFolder folder;
  std::optional<RunState> from; ///< the checkpoint to go on from
  int64_t until = 0;            ///< stop after this step; 0: the schedule's end
  int64_t threads = 1;
  std::string version, device;
  std::function<void(const TrainReport &)> report;
};

/// Ends with the "end" line. Error: a loss that is not finite, data that is not that of the run.
Result<void> train(Trainer &trainer, const TrainRun &run);

} // namespace sparsec
