// Maps of matrices written the plain way, in two readings as attention's (Attention.h).
#pragma once

#include <cstdint>
#include <vector>

namespace sparsec::reference {

template <class T>
std::vector<T> gelu(const std::vector<float> &x); ///< x / (1 + exp(-1.702 x))
template <class T>
std::vector<T> geluBackward(const std::vector<float> &x, const std::vector<float> &dy);

struct DropoutProblem {
  int64_t rows = 0, columns = 0;
  uint64_t seed = 0; ///< of kernel/Random.h's randomBits
  double drop = 0;
  std::vector<float> x, residual; ///< residual may be empty
};
/// Kept where the random bits as a number in [0, 1) are not below `drop`.
template <class T>
std::vector<T> dropout(const DropoutProblem &problem);

} // namespace sparsec::reference
