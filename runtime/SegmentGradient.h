// The gradient of a table by tokens that are sorted first (kernel/ops/Embedding.h): the launches of
// its six kernels, and the memory between them.
//
//   counts   [spans of all sequences, blocks]   tokens of a span by blocks of the table's rows
//   starts   the same                           where they go
//   lengths  [blocks]                           tiles of a block's segment
//   order, keys [tiles, 64]                     row of dx and token; none: 2^31 - 1 and -1
//   sums     [parts, 64, columns] f32           of parts that begin inside of a segment
//
// Blocks are counted in whole tiles of 64.
#pragma once

#include "kernel/ops/Embedding.h"
#include "runtime/LoadedKernel.h"

namespace sparsec {

struct EmbeddingGradientCall;

/// Must not outlive the device.
class SegmentGradient {
public:
  static Result<SegmentGradient> load(Device &device, std::vector<Kernel> kernels,
                                      const EmbeddingGradientRequest &request);
  /// Error: more places than 32-bit integers count.
  Result<void> prepare(int64_t batch, int64_t n, int64_t rows);
  /// Of calls of the lengths that are prepared.
  size_t workspaceBytes() const;
  /// Enqueues the launches of a call of these lengths, whose memory was checked; dx beside: its
  /// sequences are as many rows apart as its rows are columns. `workspace`: of workspaceBytes().
  Result<void> launch(const EmbeddingGradientCall &call, DeviceAddress workspace) const;

private:
  struct Sizes {
    int64_t ofPositions = 0; ///< tiles, of a sequence
    int64_t ofSequence = 0;  ///< spans
    int64_t spans = 0;       ///< of all sequences
    int64_t blocks = 0, blockTiles = 0;
    int64_t tiles = 0; ///< of places
    int64_t parts = 0;
  };
  struct Memory {
    Tensor counts, starts, lengths, order, keys, sums;
    size_t bytes = 0;
  };
  Memory memoryAt(DeviceAddress workspace) const;
  Result<void> sort(const EmbeddingGradientCall &call, const Memory &memory,
                    int64_t sequenceRows) const;
  Result<void> add(const EmbeddingGradientCall &call, const Memory &memory,
                   int64_t sequenceRows) const;

  EmbeddingGradientRequest request;
  LoadedKernel count, total, place, order, parts, sum;
  Sizes sizes;
};

} // namespace sparsec
