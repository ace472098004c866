// Sampling written the plain way, in float64: the first class whose running sum of
// exp((x - max) / T) is above u times the whole sum; of temperature 0 the first largest logit.
#pragma once

#include <cstdint>
#include <vector>

namespace sparsec::reference {

struct SampleProblem {
  int64_t rows = 0, columns = 0;
  float temperature = 1;
  uint64_t seed = 0; ///< u of row r: uniformOf(randomBits(seed, r, 0)), kernel/Random.h
  std::vector<float> logits;
};

std::vector<int32_t> sample(const SampleProblem &problem);

} // namespace sparsec::reference
