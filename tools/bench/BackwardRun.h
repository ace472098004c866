// Attention backward of a whole pattern on a device, ready to be timed: every head of the model,
// each by the kernels of its entry, on random tensors that stay on the device.
#pragma once

#include "runtime/AttentionBackward.h"
#include "tools/bench/ForwardRun.h"

namespace sparsec {

/// Beside what forward takes a random dout of mean 0 and variance 1, and room for dq, dk and dv.
/// Shared by the runs that are compared; `forward` must outlive it.
class BackwardTensors {
public:
  static Result<BackwardTensors> allocate(Device &device, const ForwardTensors &forward);

  const ForwardProblem &problem() const { return forward->problem(); }
  /// `out` and `lse`: what forward gave, like the tensors of forward.
  AttentionBackwardCall call(const Buffer &out, const Buffer &lse) const;

private:
  const ForwardTensors *forward = nullptr;
  Buffer dout, dq, dk, dv;
};

/// What one call of a run computes, over all heads and the batch.
struct BackwardWork {
  double elements = 0;        ///< pairs that attend
  double computedQueries = 0; ///< pairs in live blocks of the pass over queries
  double computedKeys = 0;    ///< likewise, over keys
  double pairs = 0;           ///< heads x batch x nq x n

  /// Operations of the five products that the gradients are made of, on pairs that attend.
  double liveFlops(const ForwardProblem &problem) const;
  /// Of the seven that are computed, on pairs in live blocks: each pass makes s and dp of its own.
  double computedFlops(const ForwardProblem &problem) const;
};

class BackwardRun {
public:
  /// `entries[i]`: the kernels of entry i of the pattern. Runs `forward` once, which is that
  /// pattern's on the same tensors, and keeps what it left in out and lse.
  static Result<BackwardRun> load(Device &device, const Pattern &pattern,
                                  std::vector<BackwardEntry> entries, ForwardRun &forward,
                                  const ForwardTensors &forwardTensors,
                                  const BackwardTensors &tensors);

  Result<void> enqueue();
  const BackwardWork &work() const { return total; }

private:
  const BackwardTensors *tensors = nullptr;
  std::optional<AttentionBackward> backward;
  std::optional<AttentionBackwardPlan> plan;
  Buffer out, lse; ///< forward's
  Buffer workspace;
  BackwardWork total;
};

} // namespace sparsec
