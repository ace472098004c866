#include "tests/reference/AttentionMass.h"

#include <algorithm>
#include <cmath>

namespace sparsec::reference {
namespace {

/// Visits the pairs of a block that attend.
template <class F>
void forEachPair(const MassProblem &problem, const std::vector<uint8_t> &mask, int64_t row,
                 int64_t column, F visit) {
  const AttentionProblem &p = problem.forward;
  for (int64_t q = row * problem.blockQ; q < std::min((row + 1) * problem.blockQ, p.nq); ++q)
    for (int64_t k = column * problem.blockK; k < std::min((column + 1) * problem.blockK, p.n); ++k)
      if (mask[q * p.n + k])
        visit(q, k);
}

struct Sums {
  double mass = 0, squares = 0, massTerms = 0, squaresTerms = 0;

  void add(double p, double off) {
    mass += p;
    squares += p * p;
    massTerms += p * off;
    squaresTerms += 2 * p * p * off;
  }
};

void addPair(Sums &sums, const MassProblem &problem, int64_t batch, int64_t head, int64_t q,
             int64_t k) {
  const AttentionProblem &p = problem.forward;
  int64_t kvHead = batch * p.kvHeads + head / (p.heads / p.kvHeads);
  int64_t row = (batch * p.heads + head) * p.nq + q;
  const float *query = p.q.data() + row * p.headDim;
  const float *key = p.k.data() + (kvHead * p.n + k) * p.headDim;
  double score = 0, size = 0;
  for (int64_t d = 0; d < p.headDim; ++d) {
    score += double(query[d]) * key[d];
    size += std::abs(double(query[d]) * key[d]);
  }
  double lse = problem.lse[row], scale = p.scale;
  sums.add(std::exp(score * scale - lse), 4 + 2 * (size * std::abs(scale) + std::abs(lse)));
}

} // namespace

std::vector<std::array<int64_t, 3>> liveBlocks(const MassProblem &problem,
                                               const std::vector<int64_t> &heads) {
  const AttentionProblem &p = problem.forward;
  Masks masks(p);
  std::vector<std::array<int64_t, 3>> live;
  for (int64_t head : heads)
    for (int64_t row = 0; row * problem.blockQ < p.nq; ++row)
      for (int64_t column = 0; column * problem.blockK < p.n; ++column) {
        bool any = false;
        forEachPair(problem, masks.of(head), row, column, [&](int64_t, int64_t) { any = true; });
        if (any)
          live.push_back({head, row, column});
      }
  return live;
}

Mass blockSums(const MassProblem &problem, const std::vector<int64_t> &heads) {
  Masks masks(problem.forward);
  Mass result;
  std::vector<std::array<int64_t, 3>> live = liveBlocks(problem, heads);
  for (int64_t batch = 0; batch < problem.forward.batch; ++batch)
    for (auto [head, row, column] : live) {
      Sums sums;
      forEachPair(problem, masks.of(head), row, column,
                  [&](int64_t q, int64_t k) { addPair(sums, problem, batch, head, q, k); });
      result.mass.push_back(sums.mass);
      result.squares.push_back(sums.squares);
      result.massTerms.push_back(sums.massTerms);
      result.squaresTerms.push_back(sums.squaresTerms);
    }
  return result;
}

} // namespace sparsec::reference
