#include "tests/reference/Sample.h"

#include "kernel/Random.h"

#include <algorithm>
#include <cmath>

namespace sparsec::reference {

std::vector<int32_t> sample(const SampleProblem &p) {
  std::vector<int32_t> tokens;
  for (int64_t r = 0; r < p.rows; ++r) {
    const float *x = p.logits.data() + r * p.columns, *end = x + p.columns;
    const float *max = std::max_element(x, end);
    if (p.temperature == 0) {
      tokens.push_back(static_cast<int32_t>(max - x));
      continue;
    }
    auto e = [&](int64_t c) { return std::exp((double(x[c]) - *max) / p.temperature); };
    double total = 0, running = 0;
    for (int64_t c = 0; c < p.columns; ++c)
      total += e(c);
    double bound = total * uniformOf(randomBits(p.seed, static_cast<uint32_t>(r), 0));
    int32_t token = 0;
    while (token < p.columns - 1 && (running += e(token)) <= bound)
      ++token;
    tokens.push_back(token);
  }
  return tokens;
}

} // namespace sparsec::reference
