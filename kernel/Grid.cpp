#include "kernel/Grid.h"

#include <fmt/core.h>

#include <sstream>

namespace sparsec {

static const char *const kWork[] = {"rows", "blocks", "range"};
static const char *const kAxis[] = {"queries", "keys"};
static const char *const kLongest[] = {"last", "first"};

std::string print(const Grid &grid) {
  return fmt::format("{} of {}, tile {}, heads {}, longest {}, order {}{}",
                     kWork[size_t(grid.work)], kAxis[size_t(grid.axis)], grid.tile, grid.headsPerY,
                     kLongest[size_t(grid.longest)], grid.order.empty() ? "none" : grid.order,
                     grid.persistent ? ", persistent" : "");
}

Result<Grid> parseGrid(const std::string &text) {
  Grid grid;
  std::istringstream words(text);
  std::string work, axis, tile, heads, longest, order, persistent;
  std::string of, tileIs, headsIs, longestIs, orderIs;
  words >> work >> of >> axis >> tileIs >> tile >> headsIs >> heads >> longestIs >> longest >>
      orderIs >> order >> persistent;
  auto bare = [](std::string word) {
    if (word.ends_with(','))
      word.pop_back();
    return word;
  };
  for (size_t i = 0; i < std::size(kWork); ++i)
    if (work == kWork[i])
      grid.work = static_cast<Grid::Work>(i);
  for (size_t i = 0; i < std::size(kAxis); ++i)
    if (bare(axis) == kAxis[i])
      grid.axis = static_cast<Grid::Axis>(i);
  for (size_t i = 0; i < std::size(kLongest); ++i)
    if (bare(longest) == kLongest[i])
      grid.longest = static_cast<Grid::Longest>(i);
  grid.tile = std::atoi(tile.c_str());
  grid.headsPerY = std::atoi(heads.c_str());
  grid.order = bare(order) == "none" ? "" : bare(order);
  grid.persistent = persistent == "persistent";
  if (print(grid) != text) // what is printed parses back, and nothing else does
    return inputError(fmt::format("expected a grid, found '{}'", text));
  return grid;
}

} // namespace sparsec
