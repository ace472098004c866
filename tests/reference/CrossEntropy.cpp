#include "tests/reference/CrossEntropy.h"

#include <algorithm>
#include <cmath>

namespace sparsec::reference {

template <class T>
CrossEntropyResult<T> crossEntropy(const CrossEntropyProblem &p) {
  CrossEntropyResult<T> result;
  T sumOfLosses = 0;
  for (int64_t r = 0; r < p.rows; ++r) {
    const float *x = p.logits.data() + r * p.columns;
    int32_t target = p.targets[r];
    T max = *std::max_element(x, x + p.columns), sum = 0;
    for (int64_t c = 0; c < p.columns; ++c)
      sum += std::exp(T(x[c]) - max);
    bool counts = target >= 0;
    T loss = counts ? std::log(sum) + (max - T(x[target])) : T(0);
    sumOfLosses += loss;
    result.loss.push_back(loss);
    for (int64_t c = 0; c < p.columns; ++c)
      result.dlogits.push_back(
          counts ? (std::exp(T(x[c]) - max) / sum - T(c == target)) * T(p.scale) : T(0));
  }
  result.total = sumOfLosses * T(p.factor);
  return result;
}

template CrossEntropyResult<float> crossEntropy(const CrossEntropyProblem &);
template CrossEntropyResult<double> crossEntropy(const CrossEntropyProblem &);

} // namespace sparsec::reference
