#include "codegen/ChooseBlock.h"

#include "codegen/BlockRule.h"

#include <fmt/core.h>

namespace sparsec {
namespace {

const BlockRule &ruleOf(const Target &target) {
  switch (target.path) {
  case Path::Sm80:
    return sm80::kBlocks;
  case Path::Cpu:
    return cpu::kBlocks;
  }
  return cpu::kBlocks;
}

bool isPossible(int size) {
  return size >= 16 && size <= 128 && size % 16 == 0;
}

} // namespace

Result<Block> chooseBlock(const Request &request) {
  Block given = request.block();
  Needs needs = request.needs();
  if (needs.none())
    return given;
  if ((given.q && !isPossible(given.q)) || (given.k && !isPossible(given.k)))
    return inputError(
        fmt::format("expected a block of 16 to 128 rows and columns in steps of 16, found {}x{}",
                    given.q, given.k));
  return ruleOf(request.target()).choose(needs, request.target(), given);
}

Result<std::vector<Block>> possibleBlocks(const Request &request) {
  Result<Block> first = chooseBlock(request);
  if (!first)
    return first.error();
  std::vector<Block> blocks = {*first};
  if (!request.block().q)
    for (const Block &other : ruleOf(request.target()).others(*first))
      blocks.push_back(other);
  return blocks;
}

bool takesRowForms(const Request &request) {
  return ruleOf(request.target()).takesRowForms(request.needs());
}

} // namespace sparsec
