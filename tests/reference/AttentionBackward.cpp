#include "tests/reference/AttentionBackward.h"

#include <cmath>

namespace sparsec::reference {
namespace {

/// What a reading of the formulas does at each step.
template <class T>
struct Reading {
  T (*round)(T);      ///< to the tensors' type
  bool sizes = false; ///< absolute values in place of sums
};

template <class T>
class Backward {
public:
  Backward(const BackwardProblem &problem, const AttentionResult<T> &forward, Reading<T> reading)
      : problem(problem), p(problem.forward), forward(forward), reading(reading) {
    result.dq.resize(p.q.size());
    result.dk.resize(p.k.size());
    result.dv.resize(p.v.size());
  }

  Gradients<T> run() {
    for (int64_t b = 0; b < p.batch; ++b)
      for (int64_t h = 0; h < p.heads; ++h) {
        std::vector<uint8_t> mask = attended(p, h);
        for (int64_t i = 0; i < p.nq; ++i)
          row(b, h, i, mask.data() + i * p.n);
      }
    if (!reading.sizes)
      for (auto *values : {&result.dq, &result.dk, &result.dv})
        for (T &value : *values)
          value = reading.round(value);
    return std::move(result);
  }

private:
  const BackwardProblem &problem;
  const AttentionProblem &p;
  const AttentionResult<T> &forward;
  Reading<T> reading;
  Gradients<T> result;

  template <class B>
  T dot(const float *a, const B *b, int64_t count) const {
    T sum = 0;
    for (int64_t d = 0; d < count; ++d)
      sum += size(T(a[d]) * T(b[d]));
    return sum;
  }
  T size(T value) const { return reading.sizes ? std::abs(value) : value; }

  /// p of a pair, as it counts.
  T weightOf(const float *query, const float *key, T lse) const {
    T score = 0, sizes = 0;
    for (int64_t d = 0; d < p.headDim; ++d) {
      score += T(query[d]) * T(key[d]);
      sizes += std::abs(T(query[d]) * T(key[d]));
    }
    T weight = std::exp(score * T(p.scale) - lse);
    return reading.sizes ? weight * (1 + sizes * T(p.scale)) : weight;
  }

  void row(int64_t b, int64_t h, int64_t i, const uint8_t *mask) {
    int64_t index = (b * p.heads + h) * p.nq + i;
    int64_t kv = (b * p.kvHeads + h / (p.heads / p.kvHeads)) * p.n;
    const float *query = p.q.data() + index * p.headDim;
    const float *dout = problem.dout.data() + index * p.valueDim;
    T delta = dot(dout, forward.out.data() + index * p.valueDim, p.valueDim);
    if (!problem.dlse.empty())
      delta += size(T(-problem.dlse[index]));
    for (int64_t k = 0; k < p.n; ++k) {
      if (!mask[k])
        continue;
      const float *key = p.k.data() + (kv + k) * p.headDim;
      T weight = weightOf(query, key, forward.lse[index]);
      T dp = dot(dout, p.v.data() + (kv + k) * p.valueDim, p.valueDim);
      T ds = reading.sizes ? weight * (dp + delta) : reading.round(weight * (dp - delta));
      T rounded = reading.round(weight);
      for (int64_t d = 0; d < p.headDim; ++d) {
        result.dq[index * p.headDim + d] += size(T(p.scale) * ds * T(key[d]));
        result.dk[(kv + k) * p.headDim + d] += size(T(p.scale) * ds * T(query[d]));
      }
      for (int64_t d = 0; d < p.valueDim; ++d)
        result.dv[(kv + k) * p.valueDim + d] += size(rounded * T(dout[d]));
    }
  }
};

double asIs(double value) {
  return value;
}

} // namespace

Gradients<double> exactBackward(const BackwardProblem &problem) {
  AttentionResult<double> forward = exact(problem.forward);
  return Backward<double>(problem, forward, {.round = asIs}).run();
}

Gradients<double> sizesBackward(const BackwardProblem &problem) {
  AttentionResult<double> forward = exact(problem.forward);
  return Backward<double>(problem, forward, {.round = asIs, .sizes = true}).run();
}

Gradients<float> plainBackward(const BackwardProblem &problem, float (*round)(float)) {
  AttentionResult<float> forward = plain(problem.forward, round);
  return Backward<float>(problem, forward, {.round = round}).run();
}

} // namespace sparsec::reference
