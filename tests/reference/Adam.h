// A step of Adam with decoupled weight decay written the plain way, in two readings as attention's
// (Attention.h): exact in float64, and in f32. Loshchilov and Hutter, "Decoupled weight decay
// regularization", and the loss scale of mixed precision:
//
//   u = g / lossScale          norm = sqrt(sum u^2) over elements that count
//   not finite:                the step is left out; lossScale becomes max(lossScale backoff, least)
//   else u = u min(1, mostNorm / norm)
//        m = beta1 m + (1 - beta1) u     v = beta2 v + (1 - beta2) u^2
//        w = w - rate decay w - rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
//        after `interval` steps in a row lossScale becomes min(lossScale growth, most)
#pragma once

#include <cstdint>
#include <vector>

namespace sparsec::reference {

struct AdamProblem {
  std::vector<float> w, g, m, v;
  std::vector<bool> counts, decays; ///< of each element
  float rate = 0, beta1 = 0, beta2 = 0, epsilon = 0, decay = 0, mostNorm = 0;
  float lossScale = 1, growth = 2, backoff = 0.5f, leastScale = 1, mostScale = 1;
  int32_t interval = 0; ///< 0: the scale does not grow
  int32_t step = 0, clean = 0, overflows = 0;
};

template <class T>
struct AdamResult {
  std::vector<T> w, m, v;
  T norm = 0, clip = 1, factor = 1, correction1 = 0, correction2 = 0, lossScale = 1;
  int32_t step = 0, clean = 0, overflow = 0, overflows = 0;
};

template <class T>
AdamResult<T> adam(const AdamProblem &problem);

} // namespace sparsec::reference
