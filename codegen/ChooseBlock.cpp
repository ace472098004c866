// Which block a kernel gets when nobody says: the first of a short list that leaves room in a
// target's shared memory.
#include "codegen/ChooseBlock.h"

#include "codegen/ptx/SharedRows.h"

#include <fmt/core.h>
#include <span>

namespace sparsec {

/// Preferred first. Long blocks reuse what they load more; square ones waste less of a sparse
/// pattern. What follows a block is for head dims whose tiles are too large for it.
static constexpr Block kPreferred[] = {{64, 64}, {64, 32}, {32, 32}, {32, 16}, {16, 16}};
static constexpr Block kPreferredF32[] = {{64, 32}, {32, 32}, {32, 16}, {16, 16}};

/// What CUDA keeps of a multiprocessor's shared memory for each block.
static constexpr int kReservedPerBlock = 1024;

static int tileBytes(int rows, int columns, DType dtype) {
  return rows * sharedRows(columns * bytes(dtype)).pitch;
}

int attentionSharedBytes(const KernelRequest &request, Block block) {
  auto aligned = [](int size) { return (size + 127) / 128 * 128; };
  return aligned(2 * tileBytes(block.k, request.headDim, request.dtype)) +
         aligned(2 * tileBytes(block.k, request.valueDim, request.dtype)) +
         tileBytes(block.q, request.headDim, request.dtype);
}

static std::string text(Block block) {
  return fmt::format("{}x{}", block.q, block.k);
}

static bool blockable(int size) {
  return size >= 16 && size <= 128 && size % 16 == 0;
}

/// A block that runs on the target: one of 64 rows that leaves room for a second on its
/// multiprocessor, so that one computes while the other waits; else the first that fits at all.
static Result<Block> firstThatFits(const KernelRequest &request) {
  int most = request.target.sharedBytes;
  std::span<const Block> candidates(kPreferred);
  if (request.dtype == DType::F32)
    candidates = kPreferredF32;
  for (int resident : {2, 1})
    for (Block block : candidates) {
      if (resident == 2 && block.q < 64)
        continue;
      int each = attentionSharedBytes(request, block) + kReservedPerBlock;
      if (resident * each <= most + kReservedPerBlock)
        return block;
    }
  return inputError(fmt::format("no block fits {}: head dim {} and value dim {} in {} need {} "
                                "bytes of shared memory at least, found {}",
                                request.target.name, request.headDim, request.valueDim,
                                name(request.dtype), attentionSharedBytes(request, {16, 16}),
                                most));
}

Result<Block> chooseBlock(const KernelRequest &request) {
  Block wanted = request.block;
  if ((wanted.q && !blockable(wanted.q)) || (wanted.k && !blockable(wanted.k)))
    return inputError(fmt::format(
        "expected a block of 16 to 128 rows and columns in steps of 16, found {}", text(wanted)));
  Result<Block> chosen = firstThatFits(request);
  if (!chosen || (!wanted.q && !wanted.k))
    return chosen;
  Block block = {wanted.q ? wanted.q : chosen->q, wanted.k ? wanted.k : chosen->k};
  int needed = attentionSharedBytes(request, block);
  if (needed <= request.target.sharedBytes)
    return block;
  return inputError(
      fmt::format("a block of {} at head dim {} and value dim {} in {} needs {} bytes "
                  "of shared memory, {} has {}; {} fits",
                  text(block), request.headDim, request.valueDim, name(request.dtype), needed,
                  request.target.name, request.target.sharedBytes, text(*chosen)));
}

} // namespace sparsec
