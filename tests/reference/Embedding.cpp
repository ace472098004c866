#include "tests/reference/Embedding.h"

#include <cmath>

namespace sparsec::reference {

template <class T>
std::vector<T> embedding(const std::vector<EmbeddingTable> &tables, int64_t columns) {
  size_t count = tables.front().index.size();
  std::vector<T> x(count * columns);
  for (const EmbeddingTable &table : tables)
    for (size_t t = 0; t < count; ++t)
      if (int64_t row = table.index[t]; row >= 0 && row < table.rows)
        for (int64_t c = 0; c < columns; ++c)
          x[t * columns + c] += T(table.values[row * columns + c]);
  return x;
}

template std::vector<double> embedding(const std::vector<EmbeddingTable> &, int64_t);
template std::vector<float> embedding(const std::vector<EmbeddingTable> &, int64_t);

template <class T, class Term>
static std::vector<T> added(const EmbeddingGradient &p, Term term) {
  std::vector<T> sums(p.rows * p.columns);
  for (size_t i = 0; i < p.prior.size(); ++i)
    sums[i] = term(p.prior[i]);
  for (size_t t = 0; t < p.index.size(); ++t)
    if (int64_t row = p.index[t]; row >= 0 && row < p.rows)
      for (int64_t c = 0; c < p.columns; ++c)
        sums[row * p.columns + c] += term(p.dx[t * p.columns + c]);
  return sums;
}

template <class T>
std::vector<T> embeddingGradient(const EmbeddingGradient &problem) {
  return added<T>(problem, [](float value) { return T(value); });
}

template std::vector<double> embeddingGradient(const EmbeddingGradient &);
template std::vector<float> embeddingGradient(const EmbeddingGradient &);

std::vector<double> embeddingTerms(const EmbeddingGradient &problem) {
  return added<double>(problem, [](float value) { return std::abs(double(value)); });
}

} // namespace sparsec::reference
