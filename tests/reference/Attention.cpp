#include "tests/reference/Attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace sparsec::reference {

namespace {

template <class T>
constexpr T kNegativeInfinity = -std::numeric_limits<T>::infinity();

/// Masks by head; heads of one entry share theirs unless its predicate mentions h.
class Masks {
public:
  explicit Masks(const AttentionProblem &problem) : problem(problem) {}
  const std::vector<uint8_t> &of(int64_t head) {
    int64_t entry = head % static_cast<int64_t>(problem.attend.size());
    int64_t key = mentions(problem.attend[entry], Op::Head) ? head : entry;
    auto [it, fresh] = known.try_emplace(key);
    if (fresh)
      it->second = attended(problem, head);
    return it->second;
  }

private:
  const AttentionProblem &problem;
  std::map<int64_t, std::vector<uint8_t>> known;
};

/// [rows, columns] -> [columns, rows], so that a loop over rows runs along memory.
template <class T>
std::vector<T> transposed(const float *from, int64_t rows, int64_t columns) {
  std::vector<T> to(rows * columns);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[c * rows + r] = from[r * columns + c];
  return to;
}

/// Softmax of the attended scores in place, each sum in the order of the keys. Returns the LSE.
template <class T>
T softmax(std::vector<T> &scores, const uint8_t *mask) {
  T top = kNegativeInfinity<T>;
  for (size_t k = 0; k < scores.size(); ++k)
    if (mask[k])
      top = std::max(top, scores[k]);
  T sum = 0;
  for (size_t k = 0; k < scores.size(); ++k) {
    scores[k] = mask[k] ? std::exp(scores[k] - top) : T(0);
    sum += scores[k];
  }
  if (sum == 0) // no keys
    return kNegativeInfinity<T>;
  for (T &p : scores)
    p /= sum;
  return top + std::log(sum);
}

/// The largest scale * sum_d |query[d] keys[d][k]| of the attended keys.
double largestTerms(const AttentionProblem &p, const float *query, const std::vector<double> &keys,
                    const uint8_t *mask) {
  std::vector<double> sums(p.n);
  for (int64_t d = 0; d < p.headDim; ++d)
    for (int64_t k = 0; k < p.n; ++k)
      sums[k] += std::abs(double(query[d]) * keys[d * p.n + k]);
  double largest = 0;
  for (int64_t k = 0; k < p.n; ++k)
    if (mask[k])
      largest = std::max(largest, sums[k]);
  return largest * std::abs(double(p.scale));
}

template <class T, class Round>
AttentionResult<T> attention(const AttentionProblem &p, Round round) {
  AttentionResult<T> result;
  result.out.resize(p.batch * p.heads * p.nq * p.valueDim);
  result.lse.resize(p.batch * p.heads * p.nq);
  Masks masks(p);
  std::vector<T> scores(p.n), row(p.valueDim);
  for (int64_t b = 0; b < p.batch; ++b)
    for (int64_t h = 0; h < p.heads; ++h) {
      const std::vector<uint8_t> &mask = masks.of(h);
      int64_t kvHead = b * p.kvHeads + h / (p.heads / p.kvHeads);
      std::vector<T> keys = transposed<T>(p.k.data() + kvHead * p.n * p.headDim, p.n, p.headDim);
      const float *values = p.v.data() + kvHead * p.n * p.valueDim;
      for (int64_t i = 0; i < p.nq; ++i) {
        int64_t index = (b * p.heads + h) * p.nq + i;
        const float *query = p.q.data() + index * p.headDim;
        std::ranges::fill(scores, T(0));
        for (int64_t d = 0; d < p.headDim; ++d)
          for (int64_t k = 0; k < p.n; ++k)
            scores[k] += T(query[d]) * keys[d * p.n + k];
        for (T &score : scores)
          score *= T(p.scale);
        result.lse[index] = softmax(scores, mask.data() + i * p.n);
        if constexpr (std::is_same_v<T, double>)
          result.lseTerms.push_back(largestTerms(p, query, keys, mask.data() + i * p.n));
        std::ranges::fill(row, T(0));
        for (int64_t k = 0; k < p.n; ++k) {
          if (T weight = round(scores[k]); weight != 0)
            for (int64_t d = 0; d < p.valueDim; ++d)
              row[d] += weight * T(values[k * p.valueDim + d]);
        }
        for (int64_t d = 0; d < p.valueDim; ++d)
          result.out[index * p.valueDim + d] = round(row[d]);
      }
    }
  return result;
}

} // namespace

std::vector<uint8_t> attended(const AttentionProblem &p, int64_t head) {
  std::vector<uint8_t> mask(p.nq * p.n);
  const Expr &predicate = p.attend[head % p.attend.size()];
  Sizes sizes{.nq = p.nq, .nk = p.n};
  for (int64_t i = 0; i < p.nq; ++i)
    for (int64_t k = 0; k < p.n; ++k)
      mask[i * p.n + k] = evaluate(predicate, {.h = head, .q = i + p.q0, .k = k}, sizes);
  return mask;
}

AttentionResult<double> exact(const AttentionProblem &problem) {
  return attention<double>(problem, [](double value) { return value; });
}

AttentionResult<float> plain(const AttentionProblem &problem, float (*round)(float)) {
  return attention<float>(problem, round);
}

} // namespace sparsec::reference
