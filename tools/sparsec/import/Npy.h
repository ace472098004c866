// Files of NumPy arrays: a header that says type and shape, then the elements.
//
//   \x93NUMPY 1 0 <length> {'descr': '|b1', 'fortran_order': False, 'shape': (8, 64, 64), }
//
// Read: booleans and integers of any size, little-endian, in C order. Written: booleans. Refused:
// what is no such file, other types and orders, more than kMostNpyElements elements, a file whose
// size is not what its header says.
#pragma once

#include "patterns/Error.h"

#include <cstdint>
#include <span>

namespace sparsec::cli {

struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<int64_t> values; ///< in C order
  int64_t size() const { return static_cast<int64_t>(values.size()); }
};

inline constexpr int64_t kMostNpyElements = int64_t(1) << 26;

/// `name` is for messages.
Result<NpyArray> parseNpy(const std::string &bytes, const std::string &name);

/// The header of an array of booleans.
std::string npyHeader(std::span<const int64_t> shape);

} // namespace sparsec::cli
