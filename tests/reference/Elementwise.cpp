#include "tests/reference/Elementwise.h"

#include "kernel/Random.h"

#include <cmath>

namespace sparsec::reference {

template <class T>
static T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

template <class T>
std::vector<T> gelu(const std::vector<float> &x) {
  std::vector<T> y;
  for (float each : x)
    y.push_back(T(each) * sigmoid(T(1.702) * T(each)));
  return y;
}

template <class T>
std::vector<T> geluBackward(const std::vector<float> &x, const std::vector<float> &dy) {
  std::vector<T> dx;
  for (size_t i = 0; i < x.size(); ++i) {
    T s = sigmoid(T(1.702) * T(x[i]));
    dx.push_back(T(dy[i]) * s * (1 + T(1.702) * T(x[i]) * (1 - s)));
  }
  return dx;
}

template <class T>
std::vector<T> dropout(const DropoutProblem &p) {
  std::vector<T> y;
  for (int64_t r = 0; r < p.rows; ++r)
    for (int64_t c = 0; c < p.columns; ++c) {
      double bits = randomBits(p.seed, static_cast<uint32_t>(r), static_cast<uint32_t>(c));
      size_t i = static_cast<size_t>(r * p.columns + c);
      T kept = bits * 0x1p-32 < p.drop ? T(0) : T(p.x[i]) / T(1 - p.drop);
      y.push_back(p.residual.empty() ? kept : kept + T(p.residual[i]));
    }
  return y;
}

template std::vector<float> gelu(const std::vector<float> &);
template std::vector<double> gelu(const std::vector<float> &);
template std::vector<float> geluBackward(const std::vector<float> &, const std::vector<float> &);
template std::vector<double> geluBackward(const std::vector<float> &, const std::vector<float> &);
template std::vector<float> dropout(const DropoutProblem &);
template std::vector<double> dropout(const DropoutProblem &);

} // namespace sparsec::reference
