// Embedding written the plain way, in two readings as attention's (Attention.h), and the gradient
// of a table: a loop over positions that adds rows up.
#pragma once

#include <cstdint>
#include <vector>

namespace sparsec::reference {

/// A table, and the row that each of [batch, n] takes of it; none where that is no row.
struct EmbeddingTable {
  int64_t rows = 0;
  std::vector<float> values; ///< [rows, columns]
  std::vector<int32_t> index;
};

/// x[batch n, columns]
template <class T>
std::vector<T> embedding(const std::vector<EmbeddingTable> &tables, int64_t columns);

struct EmbeddingGradient {
  int64_t rows = 0, columns = 0;
  std::vector<int32_t> index;
  std::vector<float> dx;    ///< [batch n, columns]
  std::vector<float> prior; ///< [rows, columns], or empty: 0
};

/// [rows, columns]; and the sum of magnitudes.
template <class T>
std::vector<T> embeddingGradient(const EmbeddingGradient &problem);
std::vector<double> embeddingTerms(const EmbeddingGradient &problem);

} // namespace sparsec::reference
