// Attention forward of a whole pattern on a device, ready to be timed: every head of the model,
// each by the kernel of its entry, on random tensors that stay on the device.
#pragma once

#include "runtime/Attention.h"

namespace sparsec {

struct ForwardProblem {
  AttentionShape shape;
  int headDim = 64, valueDim = 64;
  DType dtype = DType::BF16;
  uint64_t seed = 0;
};

/// Memory of that many elements, random of mean 0 and variance 1.
Result<Buffer> randomBuffer(Device &device, int64_t elements, DType dtype, uint64_t seed);

/// Random q, k, v of mean 0 and variance 1, BHSD, and room for out and lse. Shared by the runs that
/// are compared.
class ForwardTensors {
public:
  static Result<ForwardTensors> allocate(Device &device, const ForwardProblem &problem);

  const ForwardProblem &problem() const { return asked; }
  AttentionCall call() const;
  const Buffer &outBuffer() const { return out; }
  const Buffer &lseBuffer() const { return lse; }

private:
  ForwardProblem asked;
  Buffer q, k, v, out, lse;
};

/// What one call of a run computes, over all heads and the batch.
struct ForwardWork {
  double elements = 0; ///< pairs that attend
  double computed = 0; ///< pairs in live blocks
  double pairs = 0;    ///< heads x batch x nq x n
};

class ForwardRun {
public:
  /// `entries[i]`: the parts that compute entry i of the pattern. The tensors must outlive the run.
  static Result<ForwardRun> load(Device &device, const Pattern &pattern,
                                 std::vector<std::vector<AttentionPart>> entries,
                                 const ForwardTensors &tensors);

  Result<void> enqueue();
  const ForwardWork &work() const { return total; }

private:
  struct Part {
    Attention attention;
    AttentionPlan plan;
    Buffer workspace;
    AttentionCall call;
  };
  std::vector<Part> parts;
  ForwardWork total;
};

} // namespace sparsec
