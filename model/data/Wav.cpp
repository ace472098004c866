// WAV files through mu-law: one channel of 16 bits at 12,000 Hz.
#include "model/data/Data.h"
#include "model/data/File.h"
#include "model/data/MuLaw.h"

#include <filesystem>
#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr uint32_t kRate = 12000;

template <class T>
T littleEndian(std::span<const uint8_t> bytes, size_t at) {
  T value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

bool isTag(std::span<const uint8_t> bytes, size_t at, std::string_view tag) {
  return at + tag.size() <= bytes.size() &&
         std::memcmp(bytes.data() + at, tag.data(), tag.size()) == 0;
}

Error notSupported(const std::string &path, const std::string &found) {
  Error error = inputError(
      fmt::format("{}: expected one channel of 16-bit PCM at {} Hz, found {}", path, kRate, found));
  error.notes.push_back(
      fmt::format("ffmpeg -i {} -ac 1 -ar {} -c:a pcm_s16le OUT.wav converts it", path, kRate));
  return error;
}

Result<std::vector<uint8_t>> samplesOf(std::span<const uint8_t> bytes, const std::string &path) {
  constexpr size_t kHeader = 12, kChunk = 8, kFormat = 16;
  if (!isTag(bytes, 0, "RIFF") || !isTag(bytes, 8, "WAVE"))
    return inputError(fmt::format("{}: is not a WAV file", path));
  bool hasFormat = false;
  for (size_t at = kHeader; at + kChunk <= bytes.size();) {
    size_t size = littleEndian<uint32_t>(bytes, at + 4), body = at + kChunk;
    if (isTag(bytes, at, "fmt ") && body + kFormat <= bytes.size()) {
      auto format = littleEndian<uint16_t>(bytes, body),
           channels = littleEndian<uint16_t>(bytes, body + 2),
           bits = littleEndian<uint16_t>(bytes, body + 14);
      auto rate = littleEndian<uint32_t>(bytes, body + 4);
      constexpr uint16_t kPcm = 1, kExtensible = 0xFFFE;
      if ((format != kPcm && format != kExtensible) || channels != 1 || bits != 16 || rate != kRate)
        return notSupported(path, fmt::format("{} channels of {} bits at {} Hz{}", channels, bits,
                                              rate, format == kPcm ? "" : ", not PCM"));
      hasFormat = true;
    } else if (isTag(bytes, at, "data")) {
      if (!hasFormat)
        return inputError(fmt::format("{}: expected the chunk 'fmt ' before 'data'", path));
      if (body + size > bytes.size())
        return inputError(fmt::format("{}: is cut short: expected {} bytes of samples, found {}",
                                      path, size, bytes.size() - body));
      std::vector<uint8_t> tokens(size / 2);
      for (size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = muLaw(littleEndian<int16_t>(bytes, body + 2 * i));
      return tokens;
    }
    at = body + size + size % 2;
  }
  return inputError(fmt::format("{}: expected the chunk 'data', found none", path));
}

Result<std::vector<uint8_t>> readSamples(DataBuilder &builder, const std::string &path) {
  auto opened = builder.open(path);
  if (!opened)
    return opened.error();
  return samplesOf(*opened, path);
}

} // namespace

Result<std::vector<uint8_t>> readSound(const std::string &path) {
  auto file = DataFile::open(path);
  if (!file)
    return file.error();
  return samplesOf(file->bytes(), path);
}

Result<void> readWav(DataBuilder &builder, const std::string &path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    auto samples = readSamples(builder, path);
    if (!samples)
      return samples.error();
    return builder.splitStream(builder.keep(std::move(*samples)), path);
  }
  auto train = readSamples(builder, (fs::path(path) / "train.wav").string());
  if (!train)
    return train.error();
  auto test = readSamples(builder, (fs::path(path) / "test.wav").string());
  if (!test)
    return test.error();
  return builder.splitPair(std::move(*train), std::move(*test), path);
}

} // namespace sparsec
