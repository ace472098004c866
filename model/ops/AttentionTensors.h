// What the calls of attention in model/ops/ share: names, keys, tensors by heads, what is loaded.
#pragma once

#include "model/ops/Operations.h"

namespace sparsec {

/// A name of letters, digits and underscores.
std::string symbol(const std::string &text);
/// Sizes in words, for whoever reads the list.
std::string describe(const AttentionSizes &sizes);
/// Of what is loaded of one entry.
std::string keyOf(std::string_view what, const AttentionSizes &sizes, const LayerEntry &entry);
/// Columns of a token as heads, `rows` of a sequence: [batch, heads, rows, dim].
Tensor byHeads(const Places &at, const BufferView &matrix, int64_t rows, int64_t dim);

/// What was loaded of an entry or of a layer, and how long it takes by the cost model.
template <class T>
struct Loaded {
  T attention;
  std::string kernel;
  double seconds = 0;
  size_t residentBytes() const { return attention.residentBytes(); }
};

/// "strided_row_forward 64x64 and 1 more"
std::string kernelText(const std::string &entry, const Block &block, size_t kernels);

} // namespace sparsec
