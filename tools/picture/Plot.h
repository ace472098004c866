// Curves over a common axis, as a picture.
//
//   title
//   -- local  -- dense  - - predicted
//    8 |-.                 each series in a colour of its own, named in the legend, which has as
//    6 |  `-.__            many lines as it needs; dashed ones may share their colour with another
//    4 |_______`--__       axes are linear with round numbers, or logarithmic with steps of 1, 2, 5
//      0   500  1,000
#pragma once

#include "tools/picture/Raster.h"

#include <optional>
#include <string>
#include <vector>

namespace sparsec {

struct Series {
  std::string name;          ///< empty: not in the legend
  std::vector<Place> points; ///< those that are not finite are left out
  enum class Line : uint8_t { Solid, Dashed } line = Line::Solid;
  bool dots = false;            ///< at each point
  std::optional<size_t> colour; ///< a number of the palette; none: its own
};
struct Plot {
  std::string title, xLabel, yLabel;
  std::vector<Series> series;
  enum class Scale : uint8_t { Linear, Log } xScale = Scale::Linear, yScale = Scale::Linear;
  struct Tick {
    double at = 0;
    std::string label;
  };
  std::vector<Tick> xTicks; ///< in rising order; empty: round numbers
  std::string note;         ///< after the legend
  Pixels size = {900, 420};
};

Raster render(const Plot &plot);

} // namespace sparsec
