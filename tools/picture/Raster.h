// A picture in memory: rectangles, lines and text, written as a PNG.
//
//   Raster raster({.width = 200, .height = 80});
//   raster.fill({10, 10, 60, 60}, {46, 111, 183});      whole pixels: crisp
//   raster.text({80, 40}, "row", {.height = 12});       smooth, left end of the baseline at 80, 40
//   raster.writePng("row.png");
//
// Coordinates are pixels from the upper left; what is outside is cut off.
#pragma once

#include "tools/picture/Canvas.h"

#include <span>

namespace sparsec {

class Raster : public Canvas {
public:
  explicit Raster(const Pixels &size, const Colour &background = {255, 255, 255});

  int width() const { return size.width; }
  int height() const { return size.height; }
  Colour at(int x, int y) const;

  void fill(const Box &box, const Colour &colour) override;
  void text(const Place &place, std::string_view text, const TextStyle &style) override;
  /// A round pen from point to point.
  void line(std::span<const Place> points, double thickness, const Colour &colour);
  static double textWidth(std::string_view text, const TextStyle &style);

  Result<void> writePng(const std::string &path) const;
  /// The bytes of that file.
  Result<std::string> png() const;

private:
  void stroke(const Place &from, const Place &to, double thickness, const Colour &colour);
  void cover(int x, int y, double alpha, const Colour &colour);

  Pixels size;
  std::vector<uint8_t> bytes; ///< red, green, blue of each pixel, row by row
  std::vector<float> ink;     ///< of the text being drawn: coverage of each pixel
};

} // namespace sparsec
