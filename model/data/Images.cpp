// CIFAR-10's binary files and MNIST's idx files as items: pixels in raster order, channels fastest.
#include "model/data/Data.h"

#include <filesystem>
#include <fmt/format.h>

namespace sparsec {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kCifarSide = 32, kCifarPlane = kCifarSide * kCifarSide, kChannels = 3;
constexpr int64_t kCifarItem = kCifarPlane * kChannels;
constexpr int64_t kCifarClasses = 10;
constexpr int64_t kMnistItem = 28 * 28;

/// The file, plain or gzip's; the plain name when neither is there.
std::string fileOf(const fs::path &folder, const std::string &name) {
  std::error_code ignored;
  for (const char *end : {"", ".gz"})
    if (fs::path path = folder / (name + end); fs::exists(path, ignored))
      return path.string();
  return (folder / name).string();
}

Result<void> checkFolder(const std::string &path, std::string_view files) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    return {};
  return inputError(fmt::format("{}: expected the folder of {}", path, files));
}

/// Planes of red, green and blue become pixels.
Result<void> addCifar(DataBuilder &builder, const std::string &path, std::vector<uint8_t> &into) {
  auto bytes = builder.open(path);
  if (!bytes)
    return bytes.error();
  constexpr size_t kRecord = kCifarItem + 1;
  if (bytes->size() % kRecord != 0)
    return inputError(fmt::format("{}: expected records of {} bytes, a label and a picture, found "
                                  "{} bytes",
                                  path, kRecord, bytes->size()));
  for (size_t record = 0; record < bytes->size(); record += kRecord) {
    if ((*bytes)[record] >= kCifarClasses)
      return inputError(fmt::format("{}: expected a label of 0 to {} at byte {}, found {}", path,
                                    kCifarClasses - 1, record, (*bytes)[record]));
    const uint8_t *planes = bytes->data() + record + 1;
    for (int64_t pixel = 0; pixel < kCifarPlane; ++pixel)
      for (int64_t channel = 0; channel < kChannels; ++channel)
        into.push_back(planes[channel * kCifarPlane + pixel]);
  }
  return {};
}

int64_t bigEndian(std::span<const uint8_t> bytes, size_t at) {
  return int64_t(bytes[at]) << 24 | int64_t(bytes[at + 1]) << 16 | int64_t(bytes[at + 2]) << 8 |
         bytes[at + 3];
}

Result<std::vector<uint8_t>> readIdx(DataBuilder &builder, const std::string &path) {
  constexpr size_t kHeader = 16;
  constexpr int64_t kPictures = 0x803; // of bytes, in three dimensions
  auto bytes = builder.open(path);
  if (!bytes)
    return bytes.error();
  if (bytes->size() < kHeader || bigEndian(*bytes, 0) != kPictures)
    return inputError(fmt::format("{}: is not an idx file of pictures", path));
  int64_t count = bigEndian(*bytes, 4);
  if (bigEndian(*bytes, 8) != 28 || bigEndian(*bytes, 12) != 28)
    return inputError(fmt::format("{}: expected pictures of 28 x 28, found {} x {}", path,
                                  bigEndian(*bytes, 8), bigEndian(*bytes, 12)));
  auto found = static_cast<int64_t>(bytes->size() - kHeader);
  if (found != count * kMnistItem)
    return inputError(fmt::format("{}: expected {} pictures of {} bytes, found {} bytes", path,
                                  count, kMnistItem, found));
  return std::vector<uint8_t>(bytes->begin() + kHeader, bytes->end());
}

} // namespace

Result<void> readCifar(DataBuilder &builder, const std::string &path) {
  if (Result<void> ok = checkFolder(path, "data_batch_1.bin .. data_batch_5.bin, test_batch.bin");
      !ok)
    return ok;
  std::vector<uint8_t> train, test;
  for (int batch = 1; batch <= 5; ++batch)
    if (Result<void> added =
            addCifar(builder, fileOf(path, fmt::format("data_batch_{}.bin", batch)), train);
        !added)
      return added;
  if (Result<void> added = addCifar(builder, fileOf(path, "test_batch.bin"), test); !added)
    return added;
  return builder.splitItems(std::move(train), std::move(test), kCifarItem, path);
}

Result<void> readMnist(DataBuilder &builder, const std::string &path) {
  if (Result<void> ok =
          checkFolder(path, "train-images-idx3-ubyte and t10k-images-idx3-ubyte, plain or .gz");
      !ok)
    return ok;
  auto train = readIdx(builder, fileOf(path, "train-images-idx3-ubyte"));
  if (!train)
    return train.error();
  auto test = readIdx(builder, fileOf(path, "t10k-images-idx3-ubyte"));
  if (!test)
    return test.error();
  return builder.splitItems(std::move(*train), std::move(*test), kMnistItem, path);
}

} // namespace sparsec
