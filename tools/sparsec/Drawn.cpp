#include "tools/sparsec/Drawn.h"

#include "model/data/MuLaw.h"

namespace sparsec::cli {

namespace {

/// Bytes of the UTF-8 character that begins a text: 0 where none does, -1 where it may go on.
int characterBytes(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  size_t wanted = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead >= 0xF5 || wanted == 0)
    return 0;
  // Of some leads the second byte has narrower bounds: nothing longer than it need be, no half of
  // a pair, nothing above U+10FFFF.
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < wanted; ++i) {
    if (i == text.size())
      return -1;
    auto next = static_cast<unsigned char>(text[i]);
    if (next < (i == 1 ? low : 0x80) || next > (i == 1 ? high : 0xBF))
      return 0;
  }
  return static_cast<int>(wanted);
}

} // namespace

std::string takeText(std::string &pending, Rest rest) {
  std::string text;
  size_t at = 0;
  while (at < pending.size()) {
    int bytes = characterBytes(std::string_view(pending).substr(at));
    if (bytes < 0 && rest == Rest::MayFollow)
      break;
    text += bytes > 0 ? pending.substr(at, static_cast<size_t>(bytes)) : "\xEF\xBF\xBD";
    at += static_cast<size_t>(std::max(bytes, 1));
  }
  pending.erase(0, at);
  return text;
}

std::optional<Form> formOf(const Config &config) {
  if (config.data.kind == "mnist")
    return Form{28, 28, 1};
  if (config.data.kind == "cifar10")
    return Form{32, 32, 3};
  if (config.data.kind == "imagenet64")
    return Form{64, 64, 3};
  return std::nullopt;
}

Raster pictures(const Form &form, const std::vector<std::vector<uint8_t>> &pictures, int across) {
  constexpr int kGap = 4, kSide = 128;
  int scale = std::max(1, kSide / form.width);
  int width = form.width * scale + kGap, height = form.height * scale + kGap;
  int rows = (static_cast<int>(pictures.size()) + across - 1) / across;
  Raster raster({width * across + kGap, height * rows + kGap});
  for (size_t i = 0; i < pictures.size(); ++i)
    for (size_t pixel = 0; (pixel + 1) * form.channels <= pictures[i].size(); ++pixel) {
      const uint8_t *bytes = pictures[i].data() + pixel * form.channels;
      Colour colour = form.channels == 3 ? Colour{bytes[0], bytes[1], bytes[2]}
                                         : Colour{bytes[0], bytes[0], bytes[0]};
      int x = static_cast<int>(i) % across * width + static_cast<int>(pixel) % form.width * scale;
      int y = static_cast<int>(i) / across * height + static_cast<int>(pixel) / form.width * scale;
      raster.fill({kGap + x, kGap + y, scale, scale}, colour);
    }
  return raster;
}

std::string sound(const std::vector<std::vector<uint8_t>> &clips) {
  std::string samples;
  auto put = [](std::string &to, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      to += static_cast<char>(value >> 8 * i);
  };
  for (const auto &clip : clips)
    for (uint8_t token : clip)
      put(samples, static_cast<uint16_t>(muLawInverse(token)), 2);
  std::string header = "RIFF";
  constexpr uint32_t kHeader = 36, kFormat = 16, kPcm = 1, kBytes = 2, kBits = 16;
  put(header, kHeader + static_cast<uint32_t>(samples.size()), 4);
  header += "WAVEfmt ";
  put(header, kFormat, 4);
  put(header, kPcm, 2), put(header, 1, 2);
  put(header, kSoundRate, 4), put(header, kSoundRate * kBytes, 4);
  put(header, kBytes, 2), put(header, kBits, 2);
  header += "data";
  put(header, static_cast<uint32_t>(samples.size()), 4);
  return header + samples;
}

} // namespace sparsec::cli
