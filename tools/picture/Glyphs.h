// The letters of pictures: strokes of a pen on a grid, 7 units from the baseline to the top of a
// capital, 5 to the top of a small letter.
#pragma once

#include "tools/picture/Raster.h"

namespace sparsec {

struct Glyph {
  double width = 0;                        ///< in units, without the gap to the next one
  std::vector<std::vector<Place>> strokes; ///< y grows upwards from the baseline; curves are cut
};

/// Of a character; a box when there is none for it.
const Glyph &glyphOf(char c);

inline constexpr double kGlyphGap = 1.7; ///< between letters, in units
inline constexpr double kCapital = 7;    ///< units

} // namespace sparsec
