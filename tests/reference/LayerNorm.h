// Layer norm written the plain way, in two readings as attention's (Attention.h): exact in float64,
// and what an unfused implementation in f32 would give.
//
//   mean = sum x / n     rstd = 1 / sqrt(sum (x - mean)^2 / n + epsilon)
//   y = (x - mean) rstd gain + bias
//
// and its gradients as derived on paper, g = dy gain, u = (x - mean) rstd:
//
//   dx = rstd (g - mean(g) - u mean(g u)) + dresidual
//   dgain = sum over rows of dy u,  dbias = sum over rows of dy, both + prior
#pragma once

#include <cstdint>
#include <vector>

namespace sparsec::reference {

struct LayerNormProblem {
  int64_t rows = 0, columns = 0;
  float epsilon = 1e-5f;
  std::vector<float> x, gain, bias;
  std::vector<float> dy, dresidual;        ///< of backward; dresidual may be empty
  std::vector<float> priorGain, priorBias; ///< empty: 0
};

template <class T>
struct LayerNormResult {
  std::vector<T> y, mean, rstd;
  std::vector<T> dx, dgain, dbias;
};

template <class T>
LayerNormResult<T> layerNorm(const LayerNormProblem &problem);
template <class T>
LayerNormResult<T> layerNormBackward(const LayerNormProblem &problem);

} // namespace sparsec::reference
