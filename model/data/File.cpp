#include "model/data/File.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <zlib.h>

namespace sparsec {

namespace {

constexpr size_t kInflateStep = size_t(1) << 22;
constexpr int kGzip = 16; // added to zlib's window bits: a gzip header

/// Every member of a gzip file, one after another.
Result<std::vector<uint8_t>> inflateAll(const std::string &name, std::span<const uint8_t> stored) {
  std::vector<uint8_t> out;
  z_stream stream = {};
  if (inflateInit2(&stream, MAX_WBITS + kGzip) != Z_OK)
    return machineError("zlib cannot be started");
  stream.next_in = const_cast<uint8_t *>(stored.data());
  size_t left = stored.size();
  int status = Z_OK;
  while (status == Z_OK) {
    stream.avail_in = static_cast<uInt>(std::min<size_t>(left, kInflateStep));
    uInt given = stream.avail_in;
    size_t had = out.size();
    out.resize(had + kInflateStep);
    stream.next_out = out.data() + had;
    stream.avail_out = kInflateStep;
    status = inflate(&stream, Z_NO_FLUSH);
    left -= given - stream.avail_in;
    out.resize(had + kInflateStep - stream.avail_out);
    if (status == Z_STREAM_END && left > 0)
      status = inflateReset(&stream);
  }
  inflateEnd(&stream);
  if (status == Z_STREAM_END)
    return out;
  return inputError(fmt::format("{}: is a gzip file that is {}", name,
                                status == Z_BUF_ERROR ? "cut short" : "corrupt"));
}

} // namespace

Result<DataFile> DataFile::open(const std::string &path) {
  DataFile file;
  file.name = path;
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return inputError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  struct stat status = {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    return inputError(fmt::format("{}: is not a file", path));
  }
  auto size = static_cast<size_t>(status.st_size);
  if (size == 0) {
    close(descriptor);
    return inputError(fmt::format("{}: is empty", path));
  }
  void *mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  int failure = errno;
  close(descriptor);
  if (mapped == MAP_FAILED)
    return machineError(fmt::format("{}: cannot be mapped: {}", path, std::strerror(failure)));
  file.stored = {static_cast<const uint8_t *>(mapped), size};
  file.contents = file.stored;
  if (size > 2 && file.stored[0] == 0x1f && file.stored[1] == 0x8b) {
    auto inflated = inflateAll(path, file.stored);
    if (!inflated)
      return inflated.error();
    file.inflated = std::move(*inflated);
    file.contents = file.inflated;
  }
  return file;
}

DataFile::DataFile(DataFile &&other) noexcept
    : name(std::move(other.name)), stored(std::exchange(other.stored, {})),
      inflated(std::move(other.inflated)), contents(std::exchange(other.contents, {})) {}

DataFile &DataFile::operator=(DataFile &&other) noexcept {
  std::swap(name, other.name);
  std::swap(stored, other.stored);
  std::swap(inflated, other.inflated);
  std::swap(contents, other.contents);
  return *this;
}

DataFile::~DataFile() {
  if (!stored.empty())
    munmap(const_cast<uint8_t *>(stored.data()), stored.size());
}

std::string DataFile::digest() const {
  return sha256(stored);
}

} // namespace sparsec
