#include "tests/reference/Adam.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sparsec::reference {

template <class T>
AdamResult<T> adam(const AdamProblem &p) {
  AdamResult<T> r{.w = {p.w.begin(), p.w.end()},
                  .m = {p.m.begin(), p.m.end()},
                  .v = {p.v.begin(), p.v.end()},
                  .lossScale = T(p.lossScale),
                  .step = p.step,
                  .clean = p.clean,
                  .overflows = p.overflows};
  T squares = 0;
  for (size_t i = 0; i < p.g.size(); ++i)
    if (p.counts[i])
      squares += T(p.g[i]) / T(p.lossScale) * (T(p.g[i]) / T(p.lossScale));
  r.norm = std::sqrt(squares);
  r.overflow = !std::isfinite(r.norm);
  if (r.overflow)
    r.norm = std::numeric_limits<T>::infinity();
  if (r.norm > T(p.mostNorm))
    r.clip = T(p.mostNorm) / r.norm;
  r.factor = r.clip / T(p.lossScale);
  r.step += !r.overflow;
  T beta1 = p.beta1, beta2 = p.beta2;
  r.correction1 = 1 - std::pow(beta1, T(r.step));
  r.correction2 = 1 - std::pow(beta2, T(r.step));
  if (r.overflow) {
    r.lossScale = std::max(r.lossScale * T(p.backoff), T(p.leastScale));
    r.clean = 0;
    ++r.overflows;
    return r;
  }
  if (++r.clean >= p.interval && p.interval) {
    r.lossScale = std::min(r.lossScale * T(p.growth), T(p.mostScale));
    r.clean = 0;
  }
  for (size_t i = 0; i < p.g.size(); ++i) {
    T u = T(p.g[i]) * r.factor;
    r.m[i] = beta1 * r.m[i] + (1 - beta1) * u;
    r.v[i] = beta2 * r.v[i] + (1 - beta2) * u * u;
    T w = r.w[i];
    if (p.decays[i])
      w -= T(p.rate) * T(p.decay) * w;
    r.w[i] = w - T(p.rate) * (r.m[i] / r.correction1) /
                     (std::sqrt(r.v[i] / r.correction2) + T(p.epsilon));
  }
  return r;
}

template AdamResult<double> adam(const AdamProblem &);
template AdamResult<float> adam(const AdamProblem &);

} // namespace sparsec::reference
