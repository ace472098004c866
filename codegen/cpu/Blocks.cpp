// Blocks of a CPU: any runs.
#include "codegen/BlockRule.h"

#include <algorithm>

namespace sparsec::cpu {
namespace {

/// A block of keys and values lies in the second-level cache, while every panel of queries passes
/// over it: 128 of them, or 64 where 128 in f32 beside their queries would not leave half of it to
/// a neighbour.
Result<Block> choose(const Needs &needs, const Target &, Block given) {
  int widest = std::max(needs.summed, needs.carried);
  int q = widest > 128 ? 64 : 128;
  int k = widest > (needs.dtype == DType::F32 ? 64 : 128) ? 64 : 128;
  return Block{given.q ? given.q : q, given.k ? given.k : k};
}

std::vector<Block> others(Block first) {
  std::vector<Block> blocks;
  for (Block block : {Block{64, 64}, Block{64, 32}, Block{32, 32}})
    if (block.q * block.k < first.q * first.k && block.q <= first.q && block.k <= first.k)
      blocks.push_back(block);
  return blocks;
}

bool takesRowForms(const Needs &) {
  return true;
}

} // namespace

const BlockRule kBlocks = {choose, others, takesRowForms};

} // namespace sparsec::cpu
