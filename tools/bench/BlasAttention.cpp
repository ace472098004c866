#include "tools/bench/BlasAttention.h"

#include "tools/bench/Lanes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sparsec {
namespace {

constexpr int64_t kChunkRows = 128;

template <int W>
[[gnu::always_inline]] inline typename Lanes<W>::F load(const float *from) {
  typename Lanes<W>::F value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// exp of x <= 0: 2^i times a polynomial of 2^f, |f| <= 1/2; within 2 units in the last place.
template <int W>
[[gnu::always_inline]] inline typename Lanes<W>::F exponential(typename Lanes<W>::F x) {
  using F = typename Lanes<W>::F;
  using I = typename Lanes<W>::I;
  F t = x * 1.44269504f;
  t = t < -126.0f ? F{} - 126.0f : t;
  F whole = (t + 12582912.0f) - 12582912.0f; // 1.5 2^23: rounds to an integer
  F f = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  F p = 1.98756912e-4f * f + 1.39819994e-3f; // Cephes' expf
  p = p * f + 8.33345205e-3f;
  p = p * f + 4.16657963e-2f;
  p = p * f + 1.66666657e-1f;
  p = p * f + 0.5f;
  p = p * f * f + f + 1.0f;
  I bits = (__builtin_convertvector(whole, I) + 127) << 23;
  F power;
  std::memcpy(&power, &bits, sizeof power);
  return t <= -126.0f ? F{} : p * power;
}

template <int W>
[[gnu::always_inline]] inline SoftmaxRow exponentialsOf(float *row, int64_t count) {
  using F = typename Lanes<W>::F;
  int64_t vectors = count / W;
  F high = F{} - INFINITY;
  for (int64_t i = 0; i < vectors; ++i) {
    F x = load<W>(row + i * W);
    high = x > high ? x : high;
  }
  SoftmaxRow result{.maximum = -INFINITY};
  for (int i = 0; i < W; ++i)
    result.maximum = std::max(result.maximum, high[i]);
  for (int64_t i = vectors * W; i < count; ++i)
    result.maximum = std::max(result.maximum, row[i]);
  F sum = {};
  for (int64_t i = 0; i < vectors; ++i) {
    F x = exponential<W>(load<W>(row + i * W) - result.maximum);
    std::memcpy(row + i * W, &x, sizeof x);
    sum += x;
  }
  for (int i = 0; i < W; ++i)
    result.sum += sum[i];
  for (int64_t i = vectors * W; i < count; ++i) {
    row[i] = std::exp(row[i] - result.maximum);
    result.sum += row[i];
  }
  return result;
}
SPARSEC_FOR_WIDTHS(exponentialsOf)

} // namespace

SoftmaxRow exponentials(int lanes, float *row, int64_t count) {
  return exponentialsOfAtWidth(lanes, row, count);
}

BlasAttention::BlasAttention(const OpenBlas &blas, const BlasProblem &problem, int threads)
    : blas(blas), problem(problem) {
  // Probabilities, so that the product p V alone works on numbers as they are.
  scores.assign(threads, std::vector<float>(std::min(kChunkRows, problem.nq) * problem.n, 0.5f));
}

double BlasAttention::flops(BlasPart part) const {
  int64_t columns = (part != BlasPart::Output ? problem.headDim : 0) +
                    (part != BlasPart::Scores ? problem.valueDim : 0);
  return 2.0 * double(problem.batch * problem.heads) * double(problem.nq) * double(problem.n) *
         double(columns);
}

void BlasAttention::run(Team &team, BlasPart part) {
  int64_t chunks = (problem.nq + kChunkRows - 1) / kChunkRows;
  team.each(problem.batch * problem.heads * chunks,
            [&](int64_t i, int member) { chunk(i, part, scores[member].data()); });
}

void BlasAttention::chunk(int64_t index, BlasPart part, float *scores) const {
  const BlasProblem &p = problem;
  int64_t chunks = (p.nq + kChunkRows - 1) / kChunkRows;
  int64_t first = index % chunks * kChunkRows, head = index / chunks; // of all batches
  int64_t rows = std::min(kChunkRows, p.nq - first);
  int64_t kvHead = head / p.heads * p.kvHeads + head % p.heads / (p.heads / p.kvHeads);
  int64_t row = head * p.nq + first;
  if (part != BlasPart::Output)
    blas.multiply({.right = OpenBlas::Product::Right::Transposed,
                   .m = rows,
                   .n = p.n,
                   .k = p.headDim,
                   .scale = 1.0f / std::sqrt(static_cast<float>(p.headDim)),
                   .a = p.q + row * p.headDim,
                   .aStride = p.headDim,
                   .b = p.k + kvHead * p.n * p.headDim,
                   .bStride = p.headDim,
                   .c = scores,
                   .cStride = p.n});
  std::array<SoftmaxRow, kChunkRows> sums;
  if (part == BlasPart::Attention)
    for (int64_t i = 0; i < rows; ++i)
      sums[i] = exponentials(lanesOfThisCpu(), scores + i * p.n, p.n);
  float *out = p.out + row * p.valueDim;
  if (part != BlasPart::Scores)
    blas.multiply({.m = rows,
                   .n = p.valueDim,
                   .k = p.n,
                   .a = scores,
                   .aStride = p.n,
                   .b = p.v + kvHead * p.n * p.valueDim,
                   .bStride = p.valueDim,
                   .c = out,
                   .cStride = p.valueDim});
  if (part != BlasPart::Attention)
    return;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t column = 0; column < p.valueDim; ++column)
      out[i * p.valueDim + column] /= sums[i].sum;
    if (p.lse)
      p.lse[row + i] = sums[i].maximum + std::log(sums[i].sum);
  }
}

} // namespace sparsec
