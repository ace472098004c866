// What a model draws, as what it is of: text, pictures, sound.
#pragma once

#include "model/Config.h"
#include "tools/picture/Raster.h"

namespace sparsec::cli {

inline constexpr int64_t kSoundRate = 12000; ///< samples of sound a second

/// What a model wrote, as UTF-8: a byte that begins no character becomes U+FFFD. A character that
/// may go on stays in `pending`, unless it is the end.
enum class Rest : uint8_t { MayFollow, None };
std::string takeText(std::string &pending, Rest rest);

/// The form of a picture of so many bytes.
struct Form {
  int width = 0, height = 0, channels = 1;
  int64_t tokens() const { return int64_t(width) * height * channels; }
};
/// Of a config's data; none where that is not pictures.
std::optional<Form> formOf(const Config &config);

/// Pictures beside each other, in rows of so many; what was not drawn of one is white.
Raster pictures(const Form &form, const std::vector<std::vector<uint8_t>> &pictures, int across);

/// A WAV file: one channel of 16 bits, the clips one after another.
std::string sound(const std::vector<std::vector<uint8_t>> &clips);

} // namespace sparsec::cli
