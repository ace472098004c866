// A dense layer and its gradients written the plain way, in two readings as attention's
// (Attention.h):
//
//   u = x w^T + bias    y = gelu(u) + residual    gelu(u) = u sigmoid(1.702 u)
//   dx = dy w, times gelu'(u) of the u that x came from
//   dw = dy^T x         db = column sums of dy
//
// Beside each sum stands its magnitude, the sum of |terms|: what rounding errors are measured by.
#pragma once

#include <cstdint>
#include <vector>

namespace sparsec::reference {

struct MatmulProblem {
  int64_t tokens = 0, in = 0, out = 0;
  bool gelu = false;
  std::vector<float> x, w, dy;       ///< [tokens, in] [out, in] [tokens, out]
  std::vector<float> bias, residual; ///< empty: none
  std::vector<float> u;              ///< [tokens, in] of dx; empty: none
};

template <class T>
struct MatmulSums {
  std::vector<T> values, magnitudes;
};

template <class T>
struct MatmulForward {
  MatmulSums<T> u, y;
};

template <class T>
MatmulForward<T> matmul(const MatmulProblem &problem);
template <class T>
MatmulSums<T> matmulInputGradient(const MatmulProblem &problem);
template <class T>
MatmulSums<T> matmulWeightGradient(const MatmulProblem &problem);
template <class T>
MatmulSums<T> matmulBiasGradient(const MatmulProblem &problem);

} // namespace sparsec::reference
