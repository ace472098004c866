// Maps of matrices as requests, each one kernel over tiles of any matrix:
//
//   Cast            y = x scale
//   Gelu            y = x sigmoid(1.702 x)
//   GeluBackward    dx = dy (s + 1.702 x s (1 - s)),  s = sigmoid(1.702 x)
//   Dropout         y = x scale where kept, else 0; [+ residual]
//
// Dropout keeps row r, column c where randomBits(dropoutSeed(seed, stream), r, c) is not below
// drop 2^32 (kernel/Random.h), so backward is the same kernel on dy: it draws the same bits. The
// seed is read from device memory, where a captured graph finds another one at each launch; the
// stream tells the layers apart.
#pragma once

#include "kernel/Request.h"
#include "kernel/ops/RowTile.h"

namespace sparsec {

struct ElementwiseRequest {
  static constexpr std::string_view kOperation = "elementwise";
  enum class Kind : uint8_t { Cast, Gelu, GeluBackward, Dropout };
  std::string entry;
  Kind kind = Kind::Cast;
  DType from = DType::F32; ///< of x and dy
  DType to = DType::F32;   ///< of y, dx and the residual
  Block block;             ///< always 0
  Target target;
  RowTile tile() const { return rowTile(256, target); } ///< of any matrix
};

std::string_view name(ElementwiseRequest::Kind kind); ///< "cast", "gelu", ...
Result<void> checkRequest(const ElementwiseRequest &request);
Needs needsOf(const ElementwiseRequest &request);
std::string describeRequest(const ElementwiseRequest &request);
std::string printRequest(const ElementwiseRequest &request);

inline constexpr uint64_t kStreamStep = 0x9E3779B97F4A7C15; ///< odd: streams do not meet
inline uint64_t dropoutSeed(uint64_t seed, uint32_t stream) {
  return seed + stream * kStreamStep;
}
/// Bits below it are dropped, for a probability from 0 to 1.
uint32_t dropThreshold(double probability);

} // namespace sparsec
