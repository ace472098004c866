// Curves over a common axis, as a picture.
//
//   title
//    8 |-.                 each series in a colour of its own, named in the legend
//    6 |  `-.__            linear axes whose ticks are round numbers
//    4 |_______`--__
//      0   500  1,000
#pragma once

#include "tools/picture/Raster.h"

#include <vector>

namespace sparsec {

struct Series {
  std::string name;
  std::vector<Place> points; ///< those that are not finite are left out
};
struct Plot {
  std::string title, xLabel, yLabel;
  std::vector<Series> series;
  Pixels size = {900, 420};
};

Raster render(const Plot &plot);

} // namespace sparsec
