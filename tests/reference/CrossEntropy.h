// Softmax cross-entropy written the plain way, in two readings as attention's (Attention.h):
//
//   loss = log(sum exp(x - max)) + max - x[target]      p = exp(x - max) / sum
//   dlogits = (p - onehot(target)) scale                a negative target: loss 0, gradient 0
#pragma once

#include <cstdint>
#include <vector>

namespace sparsec::reference {

struct CrossEntropyProblem {
  int64_t rows = 0, columns = 0;
  float scale = 1, factor = 1;
  std::vector<float> logits;
  std::vector<int32_t> targets;
};

template <class T>
struct CrossEntropyResult {
  std::vector<T> loss, dlogits;
  T total = 0; ///< factor * the sum of the losses
};

template <class T>
CrossEntropyResult<T> crossEntropy(const CrossEntropyProblem &problem);

} // namespace sparsec::reference
