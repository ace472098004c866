// A figure: columns of panels under a title, with a legend; a panel is a field of coloured squares.
//
//   title
//   subtitle
//   column title        column title
//   [panel] [panel]     [panel]            rows of panels line up over the columns
//   [panel]             [panel]
//   # legend   # legend
#pragma once

#include "tools/picture/Raster.h"

namespace sparsec {

struct Panel {
  std::string title; ///< above, small
  int rows = 0, columns = 0;
  std::vector<Colour> cells;       ///< row by row
  std::string leftLabel, topLabel; ///< of the axes; empty: none
  std::string note;                ///< below, small: of a panel without cells, what is left out
  int side = 512;                  ///< pixels that the longer side may take, about
  int frame = 0;                   ///< a wider gap after every so many columns; 0: none

  Colour &at(int64_t row, int64_t column) { return cells[size_t(row) * columns + column]; }
};

/// All cells of one colour.
Panel makePanel(std::string title, int64_t rows, int64_t columns, const Colour &colour);

struct FigureColumn {
  std::string title;
  std::vector<std::vector<Panel>> rows;
};
struct Legend {
  Colour colour;
  std::string text;
};
struct Figure {
  std::string title, subtitle;
  std::vector<FigureColumn> columns;
  std::vector<Legend> legend;
};

/// Error: a figure of more pixels than a PNG should have.
Result<Raster> render(const Figure &figure);
/// The same as vectors, with its text as text.
Result<std::string> renderSvg(const Figure &figure);
/// Whether a file's name says what to write into it: it ends in .png or .svg.
bool isFigureName(const std::string &path);
/// As the name says.
Result<void> write(const Figure &figure, const std::string &path);

/// What figures are drawn in.
namespace palette {
inline constexpr Colour kInk = {31, 41, 51}, kQuiet = {123, 135, 148};
inline constexpr Colour kEmpty = {237, 240, 244}, kPartial = {156, 195, 234};
inline constexpr Colour kFull = {31, 95, 168};
inline constexpr Colour kTile = {60, 157, 107}, kOtherTile = {232, 131, 58};
inline constexpr Colour kSeries[] = {{46, 111, 183}, {232, 131, 58}, {60, 157, 107},
                                     {138, 99, 184}, {201, 76, 97},  {42, 161, 168}};
/// The i-th of a series, around again when there are more.
inline constexpr Colour series(size_t i) {
  return kSeries[i % std::size(kSeries)];
}
} // namespace palette

} // namespace sparsec
