// mu-law of 256 levels, as in WaveNet and the paper's music: round((sign x ln(1 + 255 |x|) / ln 256
// + 1) / 2 * 255), and back.
//
//   x        -1    -0.1      0    0.1     1
//   token     0      52    128    203   255
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sparsec {

inline constexpr double kMu = 255;

inline uint8_t muLaw(int16_t sample) {
  double x = static_cast<double>(sample) / 32768;
  double y = std::copysign(std::log1p(kMu * std::fabs(x)) / std::log1p(kMu), x);
  return static_cast<uint8_t>(std::floor((y + 1) / 2 * kMu + 0.5));
}

inline int16_t muLawInverse(uint8_t token) {
  double y = 2 * static_cast<double>(token) / kMu - 1;
  double x = std::copysign(std::expm1(std::fabs(y) * std::log1p(kMu)) / kMu, y);
  return static_cast<int16_t>(std::clamp(std::nearbyint(x * 32768), -32768.0, 32767.0));
}

} // namespace sparsec
