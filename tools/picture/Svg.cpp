#include "tools/picture/Svg.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsec {

namespace {

std::string hex(const Colour &colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text)
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (static_cast<unsigned char>(c) >= 0x20)
      out += c;
  return out;
}

} // namespace

Svg::Svg(const Pixels &size) : size(size) {
  fill({0, 0, size.width, size.height}, {255, 255, 255});
}

void Svg::fill(const Box &box, const Colour &colour) {
  int left = std::max(box.x, 0), top = std::max(box.y, 0);
  int right = std::min(box.x + box.width, size.width);
  int bottom = std::min(box.y + box.height, size.height);
  if (left < right && top < bottom)
    body += fmt::format("<path fill=\"{}\" d=\"M{} {}h{}v{}h-{}z\"/>\n", hex(colour), left, top,
                        right - left, bottom - top, right - left);
}

void Svg::text(const Place &place, std::string_view text, const TextStyle &style) {
  constexpr double kCapitalOfEm = 0.72;
  std::string turn = style.turn == TextStyle::Turn::Upwards
                         ? fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", place.x, place.y)
                         : "";
  const char *anchor = style.align == Align::Left     ? "start"
                       : style.align == Align::Centre ? "middle"
                                                      : "end";
  body += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.1f}\" fill=\"{}\" "
                      "text-anchor=\"{}\"{}{}>{}</text>\n",
                      place.x, place.y, style.height / kCapitalOfEm, hex(style.colour), anchor,
                      style.weight == TextStyle::Weight::Bold ? " font-weight=\"bold\"" : "", turn,
                      escaped(text));
}

std::string Svg::document() const {
  return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                     "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
                     "shape-rendering=\"crispEdges\">\n{2}</svg>\n",
                     size.width, size.height, body);
}

} // namespace sparsec
