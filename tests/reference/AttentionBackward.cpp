#include "tests/reference/AttentionBackward.h"

#include <cmath>

namespace sparsec::reference {
namespace {

/// What is summed: values, or how large they are.
enum class Of : uint8_t { Values, Sizes };

template <class T, Of what>
class Backward {
public:
  /// `round`: to the tensors' type.
  Backward(const BackwardProblem &problem, const AttentionResult<T> &forward, T (*round)(T))
      : problem(problem), p(problem.forward), forward(forward), round(round) {
    result.dq.resize(p.q.size());
    result.dk.resize(p.k.size());
    result.dv.resize(p.v.size());
  }

  Gradients<T> run() {
    Masks masks(p);
    for (int64_t b = 0; b < p.batch; ++b)
      for (int64_t h = 0; h < p.heads; ++h)
        for (int64_t i = 0; i < p.nq; ++i)
          row(b, h, i, masks.of(h).data() + i * p.n);
    for (auto *values : {&result.dq, &result.dk, &result.dv})
      for (T &value : *values)
        value = round(value);
    return std::move(result);
  }

private:
  const BackwardProblem &problem;
  const AttentionProblem &p;
  const AttentionResult<T> &forward;
  T (*round)(T);
  Gradients<T> result;

  static T term(T value) { return what == Of::Sizes ? std::abs(value) : value; }

  template <class B>
  static T dot(const float *a, const B *b, int64_t count) {
    T sum = 0;
    for (int64_t d = 0; d < count; ++d)
      sum += term(T(a[d]) * T(b[d]));
    return sum;
  }
  static void add(T *sums, T weight, const float *values, int64_t count) {
    for (int64_t d = 0; d < count; ++d)
      sums[d] += term(weight * T(values[d]));
  }

  /// p of a pair, as it counts: it is off by as much as the exponent is, whose products and lse are
  /// rounded (those of scores of a hundred too).
  T weightOf(const float *query, const float *key, T lse) const {
    T score = 0;
    for (int64_t d = 0; d < p.headDim; ++d)
      score += T(query[d]) * T(key[d]);
    T weight = std::exp(score * T(p.scale) - lse);
    T size = dot(query, key, p.headDim) * std::abs(T(p.scale)) + std::abs(lse);
    return what == Of::Sizes ? weight * (1 + size) : weight;
  }

  void row(int64_t b, int64_t h, int64_t i, const uint8_t *mask) {
    int64_t index = (b * p.heads + h) * p.nq + i;
    int64_t kv = (b * p.kvHeads + h / (p.heads / p.kvHeads)) * p.n;
    const float *query = p.q.data() + index * p.headDim;
    const float *dout = problem.dout.data() + index * p.valueDim;
    T delta = dot(dout, forward.out.data() + index * p.valueDim, p.valueDim);
    if (!problem.dlse.empty())
      delta += term(T(-problem.dlse[index]));
    for (int64_t k = 0; k < p.n; ++k) {
      if (!mask[k])
        continue;
      const float *key = p.k.data() + (kv + k) * p.headDim;
      T weight = weightOf(query, key, forward.lse[index]);
      T dp = dot(dout, p.v.data() + (kv + k) * p.valueDim, p.valueDim);
      T ds = round(weight * (what == Of::Sizes ? dp + delta : dp - delta));
      add(&result.dq[index * p.headDim], T(p.scale) * ds, key, p.headDim);
      add(&result.dk[(kv + k) * p.headDim], T(p.scale) * ds, query, p.headDim);
      add(&result.dv[(kv + k) * p.valueDim], round(weight), dout, p.valueDim);
    }
  }
};

double asIs(double value) {
  return value;
}

} // namespace

Gradients<double> exactBackward(const BackwardProblem &problem,
                                const AttentionResult<double> &forward) {
  return Backward<double, Of::Values>(problem, forward, asIs).run();
}

Gradients<double> sizesBackward(const BackwardProblem &problem,
                                const AttentionResult<double> &forward) {
  return Backward<double, Of::Sizes>(problem, forward, asIs).run();
}

Gradients<float> plainBackward(const BackwardProblem &problem,
                               const AttentionResult<float> &forward, float (*round)(float)) {
  return Backward<float, Of::Values>(problem, forward, round).run();
}

} // namespace sparsec::reference
