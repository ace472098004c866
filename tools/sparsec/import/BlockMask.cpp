// A mask of blocks as a pattern: the blocks of a head are numbered row by row, and its live ones
// are runs of numbers.
#include "tools/sparsec/import/Importers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace sparsec::cli {
namespace {

/// Lists of more numbers than these stand in files of their own.
constexpr size_t kLongest = 256;

/// Ascending numbers become the ends of their runs.
class Runs {
public:
  void add(int64_t number) {
    if (!borders.empty() && borders.back() == number)
      ++borders.back();
    else
      borders.insert(borders.end(),
                     {static_cast<int32_t>(number), static_cast<int32_t>(number + 1)});
  }
  std::vector<int32_t> borders;
};

Result<void> checkSize(int64_t rows, int64_t columns, const std::string &name) {
  if (rows < 1 || columns < 1 || rows > kMostEntry / columns)
    return inputError(fmt::format("{}: expected a mask of 1 .. {} blocks, found {} x {}", name,
                                  kMostEntry, rows, columns));
  return {};
}

std::string linesOf(const std::vector<int32_t> &values) {
  return fmt::format("{}\n", fmt::join(values, "\n"));
}

} // namespace

Result<BlockMask> maskOf(const NpyArray &array, const std::string &name) {
  std::vector<int64_t> shape = array.shape;
  while (shape.size() > 3 && shape.front() == 1) // a batch of one
    shape.erase(shape.begin());
  if (shape.size() == 2)
    shape.insert(shape.begin(), 1);
  if (shape.size() != 3 || shape[0] < 1)
    return inputError(
        fmt::format("{}: expected a mask of [rows, columns] or [heads, rows, columns] "
                    "of blocks, found {} dimensions",
                    name, array.shape.size()));
  BlockMask mask{.rows = shape[1], .columns = shape[2], .borders = {}};
  if (auto checked = checkSize(mask.rows, mask.columns, name); !checked)
    return checked.error();
  for (int64_t h = 0; h < shape[0]; ++h) {
    Runs runs;
    for (int64_t i = 0, blocks = mask.rows * mask.columns; i < blocks; ++i)
      if (array.values[h * blocks + i])
        runs.add(i);
    mask.borders.push_back(std::move(runs.borders));
  }
  return mask;
}

Result<BlockMask> maskOf(const NpyArray &offsets, const NpyArray &columns, int64_t columnCount,
                         const std::string &name) {
  auto refused = [&](std::string_view what) {
    return inputError(fmt::format("{}: {}", name, what));
  };
  bool several = offsets.shape.size() == 2;
  if (offsets.shape.size() != columns.shape.size() || (!several && offsets.shape.size() != 1) ||
      (several && offsets.shape[0] != columns.shape[0]))
    return refused("expected offsets [rows + 1] with columns [live], or both with heads before");
  int64_t heads = several ? offsets.shape[0] : 1, ends = offsets.shape.back();
  int64_t live = columns.shape.back();
  BlockMask mask{.rows = ends - 1, .columns = columnCount ? columnCount : ends - 1, .borders = {}};
  if (auto checked = checkSize(mask.rows, mask.columns, name); !checked)
    return checked.error();
  for (int64_t h = 0; h < heads; ++h) {
    Runs runs;
    for (int64_t row = 0; row < mask.rows; ++row) {
      int64_t begin = offsets.values[h * ends + row], end = offsets.values[h * ends + row + 1];
      if (begin < 0 || end < begin || end > live)
        return refused(fmt::format("expected ascending offsets up to {}, found {} and {} at row {}",
                                   live, begin, end, row));
      std::vector<int64_t> own(columns.values.begin() + h * live + begin,
                               columns.values.begin() + h * live + end);
      std::sort(own.begin(), own.end());
      for (size_t i = 0; i < own.size(); ++i) {
        if (own[i] < 0 || own[i] >= mask.columns || (i && own[i] == own[i - 1]))
          return refused(fmt::format("expected each column of 0 .. {} once, found {} in row {}",
                                     mask.columns - 1, own[i], row));
        runs.add(row * mask.columns + own[i]);
      }
    }
    mask.borders.push_back(std::move(runs.borders));
  }
  return mask;
}

Result<Imported> importMask(const BlockMask &mask, const ImportChoice &choice) {
  if (choice.block.q < 1)
    return inputError("--block: expected the sizes of the mask's blocks, B or BQxBK, found none");
  std::map<std::vector<int32_t>, std::string> lists;
  std::string params, heads;
  Imported imported;
  for (size_t h = 0; h < mask.borders.size(); ++h) {
    const std::vector<int32_t> &borders = mask.borders[h];
    if (borders.empty())
      return inputError(
          fmt::format("head {} of the mask has no live block: it would attend nowhere", h));
    if (borders.size() > kMostEntries)
      return inputError(fmt::format("head {} of the mask has {} runs of live blocks, and a list {} "
                                    "at most: larger blocks have fewer",
                                    h, borders.size() / 2, kMostEntries / 2));
    auto [list, isNew] = lists.try_emplace(borders, fmt::format("live{}", lists.size()));
    if (isNew && borders.size() > kLongest && choice.filesBeside) {
      std::string file = fmt::format("{}.{}.txt", choice.name, list->second);
      params += fmt::format("  {}: {{file: {}}}\n", list->second, file);
      imported.files.emplace_back(file, linesOf(borders));
    } else if (isNew) {
      params += fmt::format("  {}: [{}]\n", list->second, fmt::join(borders, ", "));
    }
    heads += fmt::format("  - {{name: head{}, attend: \"live(block, {})\"}}\n", h, list->second);
  }
  const Block &block = choice.block;
  imported.text = fmt::format("name: {}\n"
                              "doc: A mask of {} x {} blocks of {} x {}; each list has the ends of "
                              "the runs of live blocks, "
                              "numbered row by row.\n"
                              "params:\n{}"
                              "where:\n"
                              "  block: q // {} * {} + k // {}\n"
                              "  live(t, ends): k < {} and segment(t, ends) % 2 == 1\n"
                              "heads:\n{}",
                              choice.name, mask.rows, mask.columns, block.q, block.k, params,
                              block.q, mask.columns, block.k, mask.columns * block.k, heads);
  if (imported.text.size() > kMaxPatternBytes)
    return inputError(
        "the lists of this mask are too long to stand in a pattern: -o FILE puts them "
        "into files beside it");
  return imported;
}

} // namespace sparsec::cli
