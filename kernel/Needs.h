// What a kernel reads and carries for one block, as far as the choice of a block depends on it: an
// operation says it of its request, a back end turns it into bytes and registers.
//
//   attention forward, head dim 64, value dim 128      resident   [q rows, 64]
//                                                      fetched    [k rows, 64], [k rows, 128]
//                                                      carried    [q rows, 128] in f32
//                                                      summed     64: the depth of scores
//                                                      scores     1
#pragma once

#include "kernel/DType.h"

#include <string>
#include <vector>

namespace sparsec {

/// A tile of rows of a block and so many columns.
struct TileNeed {
  enum class Side : uint8_t { Q, K };
  Side side = Side::Q;
  int columns = 0;
};

struct Needs {
  DType dtype = DType::F32;
  std::vector<TileNeed> resident; ///< for the whole work item
  std::vector<TileNeed> fetched;  ///< for each block, the next one on its way
  int vectors = 0;                ///< one value a row, for each block beside what is fetched
  int carried = 0;                ///< sums that are carried from block to block, in columns
  int summed = 0;                 ///< longest sum of a product that is no carry
  int scores = 1;                 ///< tiles of a block's queries and keys that are held at once
  std::string sizes;              ///< for messages: "head dim 64 and value dim 128"
  /// No blocks at all: the kernel reads no layout.
  bool none() const { return fetched.empty(); }
};

} // namespace sparsec
