// What figures are drawn on: rectangles of whole pixels and text. Raster is pixels, Svg a document.
//
// Coordinates are pixels from the upper left; what is outside is cut off.
#pragma once

#include "patterns/Error.h"

#include <cstdint>

namespace sparsec {

struct Colour {
  uint8_t red = 0, green = 0, blue = 0;
  bool operator==(const Colour &) const = default;
};

/// `share` of b (0 .. 1), the rest of a.
Colour mix(const Colour &a, const Colour &b, double share);

struct Pixels {
  int width = 0, height = 0;
};
struct Box {
  int x = 0, y = 0, width = 0, height = 0;
};
struct Place {
  double x = 0, y = 0;
};

enum class Align : uint8_t { Left, Centre, Right };

struct TextStyle {
  double height = 12; ///< of a capital, in pixels
  Colour colour = {31, 41, 51};
  Align align = Align::Left;
  enum class Weight : uint8_t { Normal, Bold } weight = Weight::Normal;
  enum class Turn : uint8_t { Upright, Upwards } turn = Turn::Upright; ///< upwards: read from below
};

class Canvas {
public:
  virtual ~Canvas() = default;
  virtual void fill(const Box &box, const Colour &colour) = 0;
  /// `place` is the left end of the baseline, its middle or its right end, as the style aligns it.
  virtual void text(const Place &place, std::string_view text, const TextStyle &style) = 0;
};

} // namespace sparsec
