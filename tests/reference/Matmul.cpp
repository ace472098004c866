#include "tests/reference/Matmul.h"

#include <cmath>

namespace sparsec::reference {
namespace {

/// A sum and the sum of its terms' magnitudes.
template <class T>
struct Sum {
  T value = 0, magnitude = 0;
  void add(T term) { value += term, magnitude += std::abs(term); }
};

template <class T>
void append(MatmulSums<T> &to, const Sum<T> &sum, T factor = 1) {
  to.values.push_back(sum.value * factor);
  to.magnitudes.push_back(sum.magnitude * std::abs(factor));
}

template <class T>
T gate(T u) {
  return 1 / (1 + std::exp(T(-1.702) * u));
}

} // namespace

template <class T>
MatmulForward<T> matmul(const MatmulProblem &p) {
  MatmulForward<T> result;
  for (int64_t t = 0; t < p.tokens; ++t)
    for (int64_t o = 0; o < p.out; ++o) {
      Sum<T> sum;
      for (int64_t i = 0; i < p.in; ++i)
        sum.add(T(p.x[t * p.in + i]) * T(p.w[o * p.in + i]));
      if (!p.bias.empty())
        sum.add(T(p.bias[o]));
      append(result.u, sum);
      if (p.gelu)
        sum.value *= gate(sum.value);
      if (!p.residual.empty())
        sum.add(T(p.residual[t * p.out + o]));
      append(result.y, sum);
    }
  return result;
}

template <class T>
MatmulSums<T> matmulInputGradient(const MatmulProblem &p) {
  MatmulSums<T> result;
  for (int64_t t = 0; t < p.tokens; ++t)
    for (int64_t i = 0; i < p.in; ++i) {
      Sum<T> sum;
      for (int64_t o = 0; o < p.out; ++o)
        sum.add(T(p.dy[t * p.out + o]) * T(p.w[o * p.in + i]));
      T slope = 1;
      if (!p.u.empty()) {
        T u = p.u[t * p.in + i], s = gate(u);
        slope = s + T(1.702) * u * s * (1 - s);
      }
      append(result, sum, slope);
    }
  return result;
}

template <class T>
MatmulSums<T> matmulWeightGradient(const MatmulProblem &p) {
  MatmulSums<T> result;
  for (int64_t o = 0; o < p.out; ++o)
    for (int64_t i = 0; i < p.in; ++i) {
      Sum<T> sum;
      for (int64_t t = 0; t < p.tokens; ++t)
        sum.add(T(p.dy[t * p.out + o]) * T(p.x[t * p.in + i]));
      append(result, sum);
    }
  return result;
}

template <class T>
MatmulSums<T> matmulBiasGradient(const MatmulProblem &p) {
  MatmulSums<T> result;
  for (int64_t o = 0; o < p.out; ++o) {
    Sum<T> sum;
    for (int64_t t = 0; t < p.tokens; ++t)
      sum.add(T(p.dy[t * p.out + o]));
    append(result, sum);
  }
  return result;
}

template MatmulForward<float> matmul(const MatmulProblem &);
template MatmulForward<double> matmul(const MatmulProblem &);
template MatmulSums<float> matmulInputGradient(const MatmulProblem &);
template MatmulSums<double> matmulInputGradient(const MatmulProblem &);
template MatmulSums<float> matmulWeightGradient(const MatmulProblem &);
template MatmulSums<double> matmulWeightGradient(const MatmulProblem &);
template MatmulSums<float> matmulBiasGradient(const MatmulProblem &);
template MatmulSums<double> matmulBiasGradient(const MatmulProblem &);

} // namespace sparsec::reference
