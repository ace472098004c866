#include "tools/picture/Raster.h"

#include "patterns/Files.h"
#include "tools/picture/Glyphs.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cmath>

namespace sparsec {

namespace {

/// From a point to a segment.
double distance(const Place &p, const Place &a, const Place &b) {
  double dx = b.x - a.x, dy = b.y - a.y;
  double length = dx * dx + dy * dy;
  double t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
  t = std::clamp(t, 0.0, 1.0);
  return std::hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

uint8_t channel(uint8_t a, uint8_t b, double share) {
  return static_cast<uint8_t>(std::lround(a + (double(b) - a) * share));
}

} // namespace

Colour mix(const Colour &a, const Colour &b, double share) {
  return {channel(a.red, b.red, share), channel(a.green, b.green, share),
          channel(a.blue, b.blue, share)};
}

Raster::Raster(const Pixels &size, const Colour &background)
    : size(size), bytes(size_t(3) * size.width * size.height),
      ink(size_t(size.width) * size.height) {
  fill({0, 0, size.width, size.height}, background);
}

Colour Raster::at(int x, int y) const {
  const uint8_t *pixel = &bytes[(size_t(y) * size.width + x) * 3];
  return {pixel[0], pixel[1], pixel[2]};
}

void Raster::fill(const Box &box, const Colour &colour) {
  int right = std::min(box.x + box.width, size.width);
  int bottom = std::min(box.y + box.height, size.height);
  for (int y = std::max(box.y, 0); y < bottom; ++y)
    for (int x = std::max(box.x, 0); x < right; ++x)
      cover(x, y, 1, colour);
}

void Raster::cover(int x, int y, double alpha, const Colour &colour) {
  uint8_t *pixel = &bytes[(size_t(y) * size.width + x) * 3];
  pixel[0] = channel(pixel[0], colour.red, alpha);
  pixel[1] = channel(pixel[1], colour.green, alpha);
  pixel[2] = channel(pixel[2], colour.blue, alpha);
}

/// A round pen from one point to another. Where the pen of one text was before, ink is not added
/// twice: joints stay as even as the rest.
void Raster::stroke(const Place &from, const Place &to, double thickness, const Colour &colour) {
  double reach = thickness / 2 + 1;
  int left = std::max(0, int(std::floor(std::min(from.x, to.x) - reach)));
  int right = std::min(size.width - 1, int(std::ceil(std::max(from.x, to.x) + reach)));
  int top = std::max(0, int(std::floor(std::min(from.y, to.y) - reach)));
  int bottom = std::min(size.height - 1, int(std::ceil(std::max(from.y, to.y) + reach)));
  for (int y = top; y <= bottom; ++y)
    for (int x = left; x <= right; ++x) {
      double away = distance({x + 0.5, y + 0.5}, from, to);
      auto alpha = static_cast<float>(std::clamp(thickness / 2 + 0.5 - away, 0.0, 1.0));
      float &before = ink[size_t(y) * size.width + x];
      if (alpha <= before)
        continue;
      // What is missing of the new coverage, over what is there.
      cover(x, y, (alpha - before) / (1 - before), colour);
      before = alpha;
    }
}

double Raster::textWidth(std::string_view text, const TextStyle &style) {
  double units = 0;
  for (char c : text)
    units += glyphOf(c).width + kGlyphGap;
  return std::max(0.0, units - kGlyphGap) * style.height / kCapital;
}

void Raster::text(const Place &place, std::string_view text, const TextStyle &style) {
  double unit = style.height / kCapital;
  bool bold = style.weight == TextStyle::Weight::Bold;
  double thickness = std::max(1.1, style.height * (bold ? 0.17 : 0.11));
  double width = textWidth(text, style);
  double along = style.align == Align::Left     ? 0
                 : style.align == Align::Centre ? -width / 2
                                                : -width;
  std::fill(ink.begin(), ink.end(), 0.0F);
  for (char c : text) {
    const Glyph &glyph = glyphOf(c);
    auto put = [&](const Place &p) -> Place {
      double x = along + p.x * unit, y = p.y * unit;
      if (style.turn == TextStyle::Turn::Upwards)
        return {place.x - y, place.y - x};
      return {place.x + x, place.y - y};
    };
    for (const std::vector<Place> &line : glyph.strokes)
      for (size_t i = 1; i < line.size(); ++i)
        stroke(put(line[i - 1]), put(line[i]), thickness, style.colour);
    along += (glyph.width + kGlyphGap) * unit;
  }
}

void Raster::line(std::span<const Place> points, double thickness, const Colour &colour) {
  std::fill(ink.begin(), ink.end(), 0.0F);
  for (size_t i = 1; i < points.size(); ++i)
    stroke(points[i - 1], points[i], thickness, colour);
}

Result<std::string> Raster::png() const {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(size.width);
  image.height = static_cast<png_uint_32>(size.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t room = 0;
  if (!png_image_write_get_memory_size(image, room, 0, bytes.data(), 0, nullptr))
    return internalError(fmt::format("a picture cannot be packed: {}", image.message));
  std::string packed(room, '\0');
  if (!png_image_write_to_memory(&image, packed.data(), &room, 0, bytes.data(), 0, nullptr))
    return internalError(fmt::format("a picture cannot be packed: {}", image.message));
  packed.resize(room);
  return packed;
}

Result<void> Raster::writePng(const std::string &path) const {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(size.width);
  image.height = static_cast<png_uint_32>(size.height);
  image.format = PNG_FORMAT_RGB;
  return writeWhole(path, [&](std::FILE *file) {
    return png_image_write_to_stdio(&image, file, 0, bytes.data(), 0, nullptr) != 0;
  });
}

} // namespace sparsec
