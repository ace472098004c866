// Which block a kernel gets when nobody says: the first of a short list that leaves room in a
// target's shared memory.
#include "codegen/BlockRule.h"
#include "codegen/ptx/SharedRows.h"

#include <fmt/core.h>

#include <span>

namespace sparsec::sm80 {
namespace {

/// Rows stay for the whole work item, and each warp has 16 of them; columns are fetched.
struct Shape {
  int rows, columns;
};

/// Preferred first. Long blocks reuse what they load more; square ones waste less of a sparse
/// pattern. What follows a block is for head dims whose tiles are too large for it.
constexpr Shape kPreferred[] = {{64, 64}, {64, 32}, {32, 32}, {32, 16}, {16, 16}};
constexpr Shape kPreferredF32[] = {{64, 32}, {32, 32}, {32, 16}, {16, 16}};
/// Where registers are few.
constexpr Shape kNarrow[] = {{64, 16}, {32, 16}, {16, 16}};

/// What CUDA keeps of a multiprocessor's shared memory for each block.
constexpr int kReservedPerBlock = 1024;

std::string text(Block block) {
  return fmt::format("{}x{}", block.q, block.k);
}

bool queriesStay(const Needs &needs) {
  return needs.resident.front().side == TileNeed::Side::Q;
}

/// 32-bit registers of a thread: an accumulator's columns are two a row in four lanes, and so are
/// those of the operands and masks on their way. Vectors wait in shared memory.
int registersOf(const Needs &needs, Shape shape) {
  return needs.carried / 2 + (needs.scores + 1) * shape.columns / 2;
}

/// Shapes that a thread has registers for. What is left of 255 goes to addresses and to sums in
/// chains (addChain in LowerProducts.cpp).
std::span<const Shape> candidatesOf(const Needs &needs) {
  constexpr int kMost = 160;
  std::span<const Shape> preferred(kPreferred);
  if (needs.dtype == DType::F32)
    return kPreferredF32;
  // f16 sums in shorter chains still.
  if (needs.dtype == DType::F16 && needs.summed > 192 && needs.carried > 192)
    return kNarrow;
  if (registersOf(needs, preferred[0]) <= kMost)
    return preferred;
  return registersOf(needs, preferred[1]) <= kMost ? preferred.subspan(1) : kNarrow;
}

/// The first block that runs on the target; rows and columns that are given stay. First those of 64
/// rows or more that leave room for a second on their multiprocessor, so that one computes while
/// the other waits; then any that fits at all.
std::optional<Block> firstThatFits(const Needs &needs, const Target &target, Block given) {
  int most = target.sharedBytes;
  for (int resident : {2, 1})
    for (auto [rows, columns] : candidatesOf(needs)) {
      Block block = queriesStay(needs) ? Block{rows, columns} : Block{columns, rows};
      block = {given.q ? given.q : block.q, given.k ? given.k : block.k};
      if (resident == 2 && (queriesStay(needs) ? block.q : block.k) < 64)
        continue;
      int each = sharedBytes(needs, block) + kReservedPerBlock;
      if (resident * each <= most + kReservedPerBlock)
        return block;
    }
  return {};
}

Result<Block> choose(const Needs &needs, const Target &target, Block given) {
  if (std::optional<Block> block = firstThatFits(needs, target, given))
    return *block;
  // The smallest that was asked for.
  Block least = {given.q ? given.q : 16, given.k ? given.k : 16};
  std::optional<Block> other = firstThatFits(needs, target, {});
  return inputError(fmt::format(
      "a block of {} at {} in {} needs {} bytes of shared memory, {} has {}; {}", text(least),
      needs.sizes, name(needs.dtype), sharedBytes(needs, least), target.name, target.sharedBytes,
      other ? text(*other) + " fits" : "no block fits"));
}

/// Smaller ones than the first, which is the fastest where blocks are full: they waste less. The
/// smallest keep too few of a multiprocessor's warps busy.
std::vector<Block> others(Block first) {
  std::vector<Block> blocks;
  for (Block block : {Block{64, 64}, Block{64, 32}, Block{32, 32}})
    if (block.q * block.k < first.q * first.k && block.q <= first.q && block.k <= first.k)
      blocks.push_back(block);
  return blocks;
}

bool takesRowForms(const Needs &needs) {
  if (needs.dtype == DType::BF16)
    return needs.carried <= 256;
  return needs.carried * needs.scores <= 192;
}

} // namespace

int sharedBytes(const Needs &needs, Block block) {
  SharedLayout place;
  auto add = [&](const TileNeed &tile, int stages) {
    int rows = tile.side == TileNeed::Side::Q ? block.q : block.k;
    place.add(rows, tile.columns * bytes(needs.dtype), stages);
  };
  for (const TileNeed &tile : needs.fetched)
    add(tile, 2);
  for (int i = 0; i < needs.vectors; ++i)
    place.add(1, (queriesStay(needs) ? block.k : block.q) * int(sizeof(float)), /*stages=*/2);
  for (const TileNeed &tile : needs.resident)
    add(tile, 1);
  return place.bytes();
}

const BlockRule kBlocks = {choose, others, takesRowForms};

} // namespace sparsec::sm80
