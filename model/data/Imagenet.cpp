// Downsampled ImageNet, 64 x 64, as it is handed out: npz files, which are zip archives of npy
// arrays, with an array `data` of bytes [pictures, 3 x 4096], planes of red, green and blue.
#include "model/data/Data.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <zlib.h>

namespace sparsec {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kPlane = 64 * 64, kChannels = 3, kItem = kPlane * kChannels;

uint64_t number(std::span<const uint8_t> bytes, size_t at, int size) {
  uint64_t value = 0;
  for (int i = size; i-- > 0;)
    value = value << 8 | bytes[at + static_cast<size_t>(i)];
  return value;
}

/// The contents of `data.npy` in a zip archive, by its central directory.
class Archive {
public:
  Archive(std::span<const uint8_t> bytes, const std::string &path) : bytes(bytes), path(path) {}

  Result<std::vector<uint8_t>> member(std::string_view name) const {
    constexpr size_t kEnd = 22, kEntry = 46, kMostComment = 65535;
    size_t end = bytes.size() < kEnd ? 0 : bytes.size() - kEnd;
    size_t stop = end > kMostComment ? end - kMostComment : 0;
    while (end > stop && number(bytes, end, 4) != 0x06054b50)
      --end;
    if (bytes.size() < kEnd || number(bytes, end, 4) != 0x06054b50)
      return wrong("is not an npz file, or is cut short");
    size_t at = number(bytes, end + 16, 4);
    for (uint64_t count = number(bytes, end + 10, 2); count > 0; --count) {
      if (at + kEntry > bytes.size() || number(bytes, at, 4) != 0x02014b50)
        return wrong("has a broken directory");
      size_t nameSize = number(bytes, at + 28, 2), extra = number(bytes, at + 30, 2);
      if (at + kEntry + nameSize + extra > bytes.size())
        return wrong("has a broken directory");
      std::string_view found(reinterpret_cast<const char *>(bytes.data()) + at + kEntry, nameSize);
      if (found == name)
        return contents(at, nameSize, extra);
      at += kEntry + nameSize + extra + number(bytes, at + 32, 2);
    }
    return wrong(fmt::format("has no array '{}'", name));
  }
  Error wrong(const std::string &what) const {
    return inputError(fmt::format("{}: {}", path, what));
  }

private:
  Result<std::vector<uint8_t>> contents(size_t entry, size_t nameSize, size_t extra) const {
    uint64_t method = number(bytes, entry + 10, 2), packed = number(bytes, entry + 20, 4);
    uint64_t size = number(bytes, entry + 24, 4), local = number(bytes, entry + 42, 4);
    // Numbers that do not fit stand in an extra field, those of them that are needed in this order.
    for (size_t at = entry + 46 + nameSize, end = at + extra; at + 4 <= end;) {
      size_t length = number(bytes, at + 2, 2), value = at + 4;
      if (number(bytes, at, 2) == 1)
        for (uint64_t *each : {&size, &packed, &local})
          if (*each == 0xFFFFFFFF && value + 8 <= at + 4 + length && value + 8 <= bytes.size()) {
            *each = number(bytes, value, 8);
            value += 8;
          }
      at += 4 + length;
    }
    constexpr size_t kLocal = 30;
    if (local > bytes.size() || bytes.size() - local < kLocal)
      return wrong("is cut short");
    size_t begin = local + kLocal + number(bytes, local + 26, 2) + number(bytes, local + 28, 2);
    if (begin > bytes.size() || packed > bytes.size() - begin)
      return wrong("is cut short");
    if (method == 0 && size == packed)
      return std::vector<uint8_t>(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(begin + size));
    constexpr uint64_t kDeflated = 8;
    if (method != kDeflated)
      return wrong(fmt::format("is packed by method {}, expected stored or deflated", method));
    return inflated(begin, packed, size);
  }

  Result<std::vector<uint8_t>> inflated(size_t begin, uint64_t packed, uint64_t size) const {
    constexpr uint64_t kMostRatio = 1100; // deflate's own bound is 1032
    if (size / kMostRatio > packed)
      return wrong("is corrupt");
    std::vector<uint8_t> out(size);
    z_stream stream = {};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
      return machineError("zlib cannot be started");
    uint64_t read = 0, written = 0;
    int status = Z_OK;
    while (status == Z_OK && (read < packed || written < size)) {
      constexpr uint64_t kStep = uint64_t(1) << 30;
      stream.next_in = const_cast<uint8_t *>(bytes.data() + begin + read);
      stream.next_out = out.data() + written;
      uInt in = static_cast<uInt>(std::min(kStep, packed - read));
      uInt room = static_cast<uInt>(std::min(kStep, size - written));
      stream.avail_in = in, stream.avail_out = room;
      status = inflate(&stream, Z_NO_FLUSH);
      read += in - stream.avail_in;
      written += room - stream.avail_out;
    }
    inflateEnd(&stream);
    if (status != Z_STREAM_END || written != size)
      return wrong("is corrupt");
    return out;
  }

  std::span<const uint8_t> bytes;
  const std::string &path;
};

/// Appends the pictures of one file.
Result<void> addPictures(DataBuilder &builder, const std::string &path,
                         std::vector<uint8_t> &into) {
  auto bytes = builder.open(path);
  if (!bytes)
    return bytes.error();
  Archive archive(*bytes, path);
  auto array = archive.member("data.npy");
  if (!array)
    return array.error();
  constexpr size_t kPrefix = 10, kLongPrefix = 12;
  if (array->size() < kLongPrefix || std::memcmp(array->data(), "\x93NUMPY", 6) != 0)
    return archive.wrong("has an array 'data' that is no npy");
  bool isShort = (*array)[6] == 1;
  size_t header = isShort ? number(*array, 8, 2) + 10 : number(*array, 8, 4) + 12;
  if (header > array->size())
    return archive.wrong("has an array 'data' that is cut short");
  std::string text(array->begin() + kPrefix, array->begin() + static_cast<std::ptrdiff_t>(header));
  if (text.find("'|u1'") == std::string::npos ||
      text.find("'fortran_order': False") == std::string::npos ||
      text.find(fmt::format(", {})", kItem)) == std::string::npos ||
      (array->size() - header) % kItem != 0)
    return archive.wrong(fmt::format("expected bytes [pictures, {}], found {}", kItem, text));
  for (size_t item = header; item < array->size(); item += kItem)
    for (int64_t pixel = 0; pixel < kPlane; ++pixel)
      for (int64_t channel = 0; channel < kChannels; ++channel)
        into.push_back((*array)[item + static_cast<size_t>(channel * kPlane + pixel)]);
  return {};
}

} // namespace

Result<void> readImagenet(DataBuilder &builder, const std::string &path) {
  std::error_code failure;
  std::vector<std::string> files;
  for (const auto &entry : fs::directory_iterator(path, failure))
    if (entry.path().extension() == ".npz")
      files.push_back(entry.path().string());
  std::ranges::sort(files);
  std::vector<uint8_t> train, test;
  for (const std::string &file : files) {
    bool isTest = fs::path(file).filename().string().starts_with("val");
    if (Result<void> added = addPictures(builder, file, isTest ? test : train); !added)
      return added;
  }
  if (train.empty())
    return inputError(
        fmt::format("{}: expected the folder of train_data*.npz and val_data.npz", path));
  return builder.splitItems(std::move(train), std::move(test), kItem, path);
}

} // namespace sparsec
