#include "tests/reference/LayerNorm.h"

#include <cmath>

namespace sparsec::reference {

template <class T>
LayerNormResult<T> layerNorm(const LayerNormProblem &p) {
  LayerNormResult<T> result;
  for (int64_t r = 0; r < p.rows; ++r) {
    const float *x = p.x.data() + r * p.columns;
    T sum = 0, squares = 0;
    for (int64_t c = 0; c < p.columns; ++c)
      sum += T(x[c]);
    T mean = sum / T(p.columns);
    for (int64_t c = 0; c < p.columns; ++c)
      squares += (T(x[c]) - mean) * (T(x[c]) - mean);
    T rstd = 1 / std::sqrt(squares / T(p.columns) + T(p.epsilon));
    result.mean.push_back(mean);
    result.rstd.push_back(rstd);
    for (int64_t c = 0; c < p.columns; ++c)
      result.y.push_back((T(x[c]) - mean) * rstd * T(p.gain[c]) + T(p.bias[c]));
  }
  return result;
}

template <class T>
LayerNormResult<T> layerNormBackward(const LayerNormProblem &p) {
  LayerNormResult<T> result = layerNorm<T>(p);
  result.dgain.assign(p.priorGain.begin(), p.priorGain.end());
  result.dbias.assign(p.priorBias.begin(), p.priorBias.end());
  result.dgain.resize(p.columns);
  result.dbias.resize(p.columns);
  for (int64_t r = 0; r < p.rows; ++r) {
    const float *x = p.x.data() + r * p.columns, *dy = p.dy.data() + r * p.columns;
    T mean = result.mean[r], rstd = result.rstd[r], meanG = 0, meanGu = 0;
    auto unit = [&](int64_t c) { return (T(x[c]) - mean) * rstd; };
    for (int64_t c = 0; c < p.columns; ++c) {
      T g = T(dy[c]) * T(p.gain[c]);
      meanG += g / T(p.columns);
      meanGu += g * unit(c) / T(p.columns);
    }
    for (int64_t c = 0; c < p.columns; ++c) {
      T dx = rstd * (T(dy[c]) * T(p.gain[c]) - meanG - unit(c) * meanGu);
      result.dx.push_back(p.dresidual.empty() ? dx : dx + T(p.dresidual[r * p.columns + c]));
      result.dgain[c] += T(dy[c]) * unit(c);
      result.dbias[c] += T(dy[c]);
    }
  }
  return result;
}

template LayerNormResult<float> layerNorm(const LayerNormProblem &);
template LayerNormResult<double> layerNorm(const LayerNormProblem &);
template LayerNormResult<float> layerNormBackward(const LayerNormProblem &);
template LayerNormResult<double> layerNormBackward(const LayerNormProblem &);

} // namespace sparsec::reference
