// Embedding as requests: sums of rows of tables, and the gradient of one table.
//
//   x[b, t] = W[token[b, t]] + sum over j of P_j[index_j[t]]          rounded once, summed in f32
//   dW[r]   = sum over (b, t) with token[b, t] = r of dx[b, t]        likewise dP_j; in f32
//
// Tokens that are no row of W give zeros and take no gradient. An index_j is a number for each
// position in device memory, worked out by the host (patterns/PositionIndex.h).
//
// The gradient is a product with what tokens or indices say, one-hot, of the blocks of rows and
// positions that meet: all of them for tokens, those of a pattern for indices:
//
//   rows of P, t // 32       t 0 .. 63  64 .. 127  ...         [1 where index[t] = r] x dx
//      0 .. 63                  x          x        of all t   folded in the order of the positions
//     64 .. 127                            .        none       and of the batches of a part
//
// Batches are folded in `parts`, whose sums are added in order by a second kernel.
//
// Of tokens of a table with more than kMostOneHot rows that would be many products for few rows:
// such tokens are sorted by blocks of rows first (EmbeddingSegments), and a block is a product with
// its own segment alone. Both add up in an order that the tokens alone give.
//
// A work item has a slab() of columns: all of a row have as many, or the last one has fewer.
#pragma once

#include "kernel/Request.h"

namespace sparsec {

enum class IndexType : uint8_t { U8, I32 };
std::string_view name(IndexType type); ///< "u8", "i32"
int bytes(IndexType type);

struct EmbeddingRequest {
  static constexpr std::string_view kOperation = "embedding";
  static constexpr int kTileRows = 64; ///< positions of a work item
  std::string entry;
  int64_t columns = 0;        ///< of every table and of x
  DType tables = DType::BF16; ///< of all of them
  DType dtype = DType::BF16;  ///< of x
  IndexType tokens = IndexType::U8;
  int positions = 0; ///< position tables
  Block block;       ///< always 0
  Target target;
  int slab() const;
};

/// How tokens are sorted: six kernels (dialect/ops/embedding/Segments.cpp).
struct EmbeddingSegments {
  static constexpr int kTile = 64;     ///< positions, places, rows of a block
  static constexpr int kSpanTiles = 8; ///< of positions that are counted together
  static constexpr int kPartTiles = 8; ///< of places that are added up together
};

struct EmbeddingGradientRequest {
  static constexpr std::string_view kOperation = "embedding_gradient";
  static constexpr int kTileRows = 64;
  static constexpr int64_t kMostOneHot = 1024;
  std::string entry;
  int64_t columns = 0;
  DType dtype = DType::BF16; ///< of dx
  IndexType index = IndexType::I32;
  bool sorted = false;           ///< by segments; of tokens alone
  Block block = {kTileRows, 64}; ///< rows of the table, positions
  Target target;
  int slab() const;
};

Result<void> checkRequest(const EmbeddingRequest &request);
Result<void> checkRequest(const EmbeddingGradientRequest &request);
inline Needs needsOf(const EmbeddingRequest &) {
  return {};
}
inline Needs needsOf(const EmbeddingGradientRequest &) {
  return {};
}
std::string describeRequest(const EmbeddingRequest &request);
std::string describeRequest(const EmbeddingGradientRequest &request);
std::string printRequest(const EmbeddingRequest &request);
std::string printRequest(const EmbeddingGradientRequest &request);

} // namespace sparsec
