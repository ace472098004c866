// A figure as a document of vectors: the same rectangles as a PNG's, and text that can be searched.
#pragma once

#include "tools/picture/Canvas.h"

namespace sparsec {

class Svg : public Canvas {
public:
  explicit Svg(const Pixels &size);

  void fill(const Box &box, const Colour &colour) override;
  void text(const Place &place, std::string_view text, const TextStyle &style) override;

  /// The whole document.
  std::string document() const;

private:
  Pixels size;
  std::string body;
};

} // namespace sparsec
