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

/// The first block that runs on the target; rows and columns that are given stay. First those of 64
/// rows or more that leave room for a second on their multiprocessor, so that one computes while
/// the other waits; then any that fits at all.
static std::optional<Block> firstThatFits(const KernelRequest &request, Block given) {
  int most = request.target.sharedBytes;
  std::span<const Block> candidates(kPreferred);
  if (request.dtype == DType::F32)
    candidates = kPreferredF32;
  // Scores of wide heads take twice the registers (Product::fold), which the widest outputs do not
  // leave.
  if (request.dtype != DType::F32 && request.valueDim > 192)
    candidates = candidates.subspan(1);
  // f16 sums its scores in shorter chains still.
  static constexpr Block kWidestF16[] = {{64, 16}, {32, 16}, {16, 16}};
  if (request.dtype == DType::F16 && request.headDim > 192 && request.valueDim > 192)
    candidates = kWidestF16;
  for (int resident : {2, 1})
    for (Block block : candidates) {
      block = {given.q ? given.q : block.q, given.k ? given.k : block.k};
      if (resident == 2 && block.q < 64)
        continue;
      int each = attentionSharedBytes(request, block) + kReservedPerBlock;
      if (resident * each <= most + kReservedPerBlock)
        return block;
    }
  return {};
}

/// On a CPU a block of keys and values lies in the second-level cache, while every panel of queries
/// passes over it: 128 of them, or 64 where 128 in f32 beside their queries would not leave half of
/// it to a neighbour. Any block runs.
static Block cpuBlock(const KernelRequest &request) {
  int widest = std::max(request.headDim, request.valueDim);
  int q = widest > 128 ? 64 : 128;
  int k = widest > (request.dtype == DType::F32 ? 64 : 128) ? 64 : 128;
  return {request.block.q ? request.block.q : q, request.block.k ? request.block.k : k};
}

Result<Block> chooseBlock(const KernelRequest &request) {
  Block given = request.block;
  if ((given.q && !blockable(given.q)) || (given.k && !blockable(given.k)))
    return inputError(fmt::format(
        "expected a block of 16 to 128 rows and columns in steps of 16, found {}", text(given)));
  if (request.target.machine == Machine::Cpu)
    return cpuBlock(request);
  if (std::optional<Block> block = firstThatFits(request, given))
    return *block;
  // The smallest that was asked for.
  Block least = {given.q ? given.q : 16, given.k ? given.k : 16};
  std::optional<Block> other = firstThatFits(request, {});
  return inputError(fmt::format(
      "a block of {} at head dim {} and value dim {} in {} needs {} bytes of shared memory, {} has "
      "{}; {}",
      text(least), request.headDim, request.valueDim, name(request.dtype),
      attentionSharedBytes(request, least), request.target.name, request.target.sharedBytes,
      other ? text(*other) + " fits" : "no block fits"));
}

Result<std::vector<Block>> possibleBlocks(const KernelRequest &request) {
  Result<Block> first = chooseBlock(request);
  if (!first)
    return first.error();
  std::vector<Block> blocks = {*first};
  // Smaller ones than the first, which is the fastest where blocks are full: they waste less. The
  // smallest keep too few of a multiprocessor's warps busy.
  for (const Block &block : kPreferred)
    if (!request.block.q && block.q >= 32 && block.k >= 32 &&
        block.q * block.k < first->q * first->k && block.q <= first->q && block.k <= first->k)
      blocks.push_back(block);
  return blocks;
}

} // namespace sparsec
