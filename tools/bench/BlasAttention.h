// What one would write with a BLAS: dense attention in f32, scores by sgemm, row softmax, output by
// sgemm, over all heads; and its two products alone.
//
//   a chunk of 128 query rows, on whichever thread is free:
//     S = scale Q K^T  [128, n]     p = exp(S - row's maximum), its sum      O = p V / sum
#pragma once

#include "tools/bench/OpenBlas.h"
#include "tools/bench/Team.h"

namespace sparsec {

enum class BlasPart {
  Attention, ///< all of it
  Scores,    ///< the product Q K^T alone, chunk by chunk
  Output,    ///< the product p V alone
};

/// Dense [batch, heads, rows, dim], BHSD.
struct BlasProblem {
  int64_t batch = 1, heads = 1, kvHeads = 1, nq = 0, n = 0;
  int64_t headDim = 64, valueDim = 64;
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  float *out = nullptr;
  float *lse = nullptr; ///< null: not wanted
};

class BlasAttention {
public:
  BlasAttention(const OpenBlas &blas, const BlasProblem &problem, int threads);

  void run(Team &team, BlasPart part = BlasPart::Attention);
  double flops(BlasPart part) const;

private:
  void chunk(int64_t index, BlasPart part, float *scores) const;

  const OpenBlas &blas;
  BlasProblem problem;
  std::vector<std::vector<float>> scores; ///< of each member of the team
};

/// In place: exp(row - maximum), not divided by the sum. Lanes: see Lanes.h.
struct SoftmaxRow {
  float maximum = 0, sum = 0;
};
SoftmaxRow exponentials(int lanes, float *row, int64_t count);

} // namespace sparsec
