#include "model/ops/AttentionTensors.h"

#include <algorithm>
#include <fmt/format.h>

namespace sparsec {

std::string symbol(const std::string &text) {
  std::string name = text;
  std::ranges::replace_if(
      name, [](char c) { return !isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

std::string describe(const AttentionSizes &sizes) {
  std::vector<std::string> names;
  for (const LayerEntry &each : sizes.entries)
    names.push_back(sizes.pattern->heads[static_cast<size_t>(each.entry)].name);
  return fmt::format("{} x {} heads x {}{} x {}{} {}", sizes.batch, sizes.heads,
                     sizes.queries == sizes.length ? "" : fmt::format("{} of ", sizes.queries),
                     sizes.length, sizes.qkDim,
                     sizes.valueDim == sizes.qkDim ? "" : fmt::format("/{}", sizes.valueDim),
                     fmt::join(names, "+"));
}

std::string keyOf(std::string_view what, const AttentionSizes &sizes, const LayerEntry &entry) {
  return fmt::format("{} {} {} {} {} {} {} {} {} of {} {} {} {}", what, sizes.pattern->name,
                     entry.entry, sizes.batch, sizes.heads, sizes.queries, sizes.length,
                     sizes.qkDim, sizes.valueDim, name(sizes.dtype), entry.heads.first,
                     entry.heads.step, entry.heads.count) +
         sparsec::print(sizes.pattern->heads[static_cast<size_t>(entry.entry)].attend);
}

Tensor byHeads(const Places &at, const BufferView &matrix, int64_t rows, int64_t dim) {
  Tensor tensor = at.tensor(matrix);
  tensor.stride = {rows * matrix.stride, dim, matrix.stride};
  return tensor;
}

std::string kernelText(const std::string &entry, const Block &block, size_t kernels) {
  std::string text = fmt::format("{} {}x{}", entry, block.q, block.k);
  return kernels > 1 ? fmt::format("{} and {} more", text, kernels - 1) : text;
}

} // namespace sparsec
