#include "tools/picture/Glyphs.h"

#include <algorithm>
#include <array>

namespace sparsec {

namespace {

/// Strokes, '|' between them; a point is two digits, x and y with the baseline at 2; '~' makes the
/// stroke a smooth curve, '@' a smooth closed one.
struct Drawn {
  char letter;
  const char *strokes;
};

constexpr Drawn kLetters[] = {
    {' ', ""},
    {'0', "@12 32 44 47 39 19 07 04"},
    {'1', "07 29 22"},
    {'2', "~07 18 29 38 47 35 02|02 42"},
    {'3', "~08 19 29 48 47 26|~26 45 43 32 12 03"},
    {'4', "32 39 04 44"},
    {'5', "49 09 06|~06 26 45 43 32 12 03"},
    {'6', "~39 18 05 03 12 32 43 44 36 16 05"},
    {'7', "09 49 12"},
    {'8', "@26 47 48 29 08 07|@26 45 43 22 03 05"},
    {'9', "~12 33 46 48 39 19 08 07 15 35 46"},
    {'a', "~46 37 17 06 03 12 32 43|47 42"},
    {'b', "09 02|~06 17 37 46 43 32 12 03"},
    {'c', "~46 37 17 06 03 12 32 43"},
    {'d', "49 42|~46 37 17 06 03 12 32 43"},
    {'e', "05 45|~45 46 37 17 06 03 12 32 43"},
    {'f', "~39 29 18 16 12|07 37"},
    {'g', "~46 37 17 06 03 12 32 43|47 43|~43 41 30 10 01"},
    {'h', "09 02|~05 17 37 45 42"},
    {'i', "07 02|09 09"},
    {'j', "27 23|~23 21 10 00|29 29"},
    {'k', "09 02|37 04|15 32"},
    {'l', "09 02"},
    {'m', "07 02|~05 17 27 35 32|~35 47 57 65 62"},
    {'n', "07 02|~05 17 37 45 42"},
    {'o', "@12 32 43 46 37 17 06 03"},
    {'p', "07 00|~06 17 37 46 43 32 12 03"},
    {'q', "47 40|~46 37 17 06 03 12 32 43"},
    {'r', "07 02|~05 17 37"},
    {'s', "~46 37 17 06 15 34 43 32 12 03"},
    {'t', "~19 16 13 22 32|07 37"},
    {'u', "~07 04 12 32 44|47 42"},
    {'v', "07 22 47"},
    {'w', "07 12 36 52 67"},
    {'x', "07 42|47 02"},
    {'y', "07 22|47 10"},
    {'z', "07 47 02 42"},
    {'A', "02 29 42|14 34"},
    {'B', "02 09|~09 29 38 47 36 06|~06 36 45 43 32 02"},
    {'C', "~47 39 19 07 04 12 32 44"},
    {'D', "02 09|~09 29 38 47 44 33 22 02"},
    {'E', "49 09 02 42|06 36"},
    {'F', "49 09 02|06 36"},
    {'G', "~47 39 19 07 04 12 32 44|44 45 25"},
    {'H', "02 09|42 49|06 46"},
    {'I', "02 09"},
    {'J', "~39 34 22 03"},
    {'K', "02 09|49 05|16 42"},
    {'L', "09 02 42"},
    {'M', "02 09 35 69 62"},
    {'N', "02 09 42 49"},
    {'O', "@12 32 44 47 39 19 07 04"},
    {'P', "02 09|~09 29 38 47 36 25 05"},
    {'Q', "@12 32 44 47 39 19 07 04|24 42"},
    {'R', "02 09|~09 29 38 47 36 25 05|25 42"},
    {'S', "~47 39 19 08 07 16 35 44 43 32 12 04"},
    {'T', "09 49|29 22"},
    {'U', "~09 04 12 32 44 49"},
    {'V', "09 22 49"},
    {'W', "09 12 36 52 69"},
    {'X', "09 42|49 02"},
    {'Y', "09 26 49|26 22"},
    {'Z', "09 49 02 42"},
    {'.', "02 02"},
    {',', "12 01"},
    {':', "02 02|06 06"},
    {';', "12 01|16 16"},
    {'!', "09 04|02 02"},
    {'?', "~08 19 29 38 37 25 24|22 22"},
    {'-', "05 35"},
    {'_', "01 41"},
    {'+', "05 45|27 23"},
    {'=', "04 44|06 46"},
    {'<', "47 05 43"},
    {'>', "07 45 03"},
    {'/', "01 39"},
    {'%', "02 59|@08 19 28 17|@34 43 52 63"},
    {'(', "~29 17 14 20"},
    {')', "~09 17 14 00"},
    {'[', "29 09 01 21"},
    {']', "09 29 21 01"},
    {'{', "~29 18 16 05 14 12 21"},
    {'}', "~09 18 16 25 14 12 01"},
    {'|', "09 01"},
    {'*', "18 14|07 35|37 05"},
    {'#', "12 29|32 49|04 54|07 57"},
    {'\'', "09 07"},
    {'"', "09 07|29 27"},
    {'&', "~42 16 18 29 38 36 04 03 12 22 45"},
    {'~', "~05 16 25 34 45"},
};
constexpr const char *kUnknown = "02 09 49 42 02";

/// Catmull-Rom through the points.
std::vector<Place> curve(const std::vector<Place> &points, bool closed) {
  constexpr int kPieces = 6;
  auto count = static_cast<int>(points.size());
  auto point = [&](int i) {
    return closed ? points[(i + count) % count] : points[std::clamp(i, 0, count - 1)];
  };
  std::vector<Place> result = {points[0]};
  for (int i = 0; i < (closed ? count : count - 1); ++i)
    for (int piece = 1; piece <= kPieces; ++piece) {
      double t = double(piece) / kPieces;
      Place a = point(i - 1), b = point(i), c = point(i + 1), d = point(i + 2);
      auto at = [t](double p, double q, double r, double s) {
        return 0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t +
                      (3 * q - p - 3 * r + s) * t * t * t);
      };
      result.push_back({at(a.x, b.x, c.x, d.x), at(a.y, b.y, c.y, d.y)});
    }
  return result;
}

Glyph read(const char *text) {
  Glyph glyph;
  std::vector<Place> points;
  char kind = ' ';
  auto finish = [&] {
    if (points.empty())
      return;
    bool smooth = kind != ' ' && points.size() > 2;
    glyph.strokes.push_back(smooth ? curve(points, kind == '@') : points);
    points.clear();
    kind = ' ';
  };
  for (const char *at = text; *at; ++at) {
    if (*at == '|') {
      finish();
    } else if (*at == '~' || *at == '@') {
      kind = *at;
    } else if (*at != ' ') {
      points.push_back({double(at[0] - '0'), double(at[1] - '0' - 2)});
      glyph.width = std::max(glyph.width, points.back().x);
      ++at;
    }
  }
  finish();
  return glyph;
}

std::array<Glyph, 128> readAll() {
  std::array<Glyph, 128> glyphs;
  glyphs.fill(read(kUnknown));
  for (const Drawn &each : kLetters)
    glyphs[static_cast<size_t>(each.letter)] = read(each.strokes);
  glyphs[' '].width = 2;
  return glyphs;
}

} // namespace

const Glyph &glyphOf(char c) {
  static const std::array<Glyph, 128> glyphs = readAll();
  auto code = static_cast<unsigned char>(c);
  return glyphs[code < 128 ? code : 0];
}

} // namespace sparsec
