#include "model/Safetensors.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace sparsec {

namespace {

constexpr uint64_t kMostHeader = uint64_t(1) << 27;

Error failed(const std::string &path, std::string_view what) {
  return machineError(fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

Error wrong(const std::string &path, std::string_view what) {
  return inputError(fmt::format("{}: is no safetensors file that can be read: {}", path, what));
}

} // namespace

namespace {

/// A file beside its place, until it is whole.
class FileBeside {
public:
  explicit FileBeside(const std::string &path)
      : path(path), beside(path + ".part"),
        file(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {}
  FileBeside(const FileBeside &) = delete;
  FileBeside &operator=(const FileBeside &) = delete;
  ~FileBeside() {
    if (file < 0)
      return;
    close(file);
    unlink(beside.c_str());
  }

  Result<void> add(std::string_view piece) {
    if (file < 0)
      return failed(beside, "cannot be created");
    while (!piece.empty()) {
      ssize_t put = write(file, piece.data(), piece.size());
      if (put < 0 && errno == EINTR)
        continue;
      if (put < 0)
        return failed(beside, "cannot be written");
      piece.remove_prefix(static_cast<size_t>(put));
    }
    return {};
  }

  /// Once.
  Result<void> putInPlace() {
    if (file < 0)
      return failed(beside, "cannot be created");
    bool onDisk = fsync(file) == 0, closed = close(file) == 0;
    file = -1;
    if (!onDisk || !closed || rename(beside.c_str(), path.c_str()) != 0)
      return failed(path, "cannot be put in place");
    return {};
  }

private:
  const std::string &path;
  std::string beside;
  int file;
};

} // namespace

Result<void> writeWhole(const std::string &path, std::span<const std::string_view> pieces) {
  FileBeside file(path);
  for (std::string_view piece : pieces)
    if (Result<void> added = file.add(piece); !added)
      return added;
  return file.putInPlace();
}

Result<void> writeSafetensors(const std::string &path, const std::vector<NamedTensor> &tensors,
                              const std::map<std::string, std::string> &metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  auto elements = [](const NamedTensor &tensor) {
    size_t count = 1;
    for (int64_t extent : tensor.shape)
      count *= static_cast<size_t>(extent);
    return count;
  };
  for (const NamedTensor &tensor : tensors) {
    uint64_t end = offset + elements(tensor) * sizeof(float);
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' '); // so that tensors are aligned
  uint64_t size = text.size();
  std::string front(reinterpret_cast<const char *>(&size), sizeof size);
  front += text;
  FileBeside file(path);
  if (Result<void> added = file.add(front); !added)
    return added;
  std::vector<float> values;
  for (const NamedTensor &tensor : tensors) {
    values.resize(elements(tensor));
    if (Result<void> there = tensor.read(values); !there)
      return there;
    std::string_view piece(reinterpret_cast<const char *>(values.data()),
                           values.size() * sizeof(float));
    if (Result<void> added = file.add(piece); !added)
      return added;
  }
  return file.putInPlace();
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  SafetensorsFile opened;
  opened.path = path;
  std::ifstream &file = opened.file;
  file.open(path, std::ios::binary | std::ios::ate);
  if (!file)
    return inputError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  auto total = static_cast<uint64_t>(file.tellg());
  uint64_t size = 0;
  file.seekg(0);
  file.read(reinterpret_cast<char *>(&size), sizeof size);
  if (total < sizeof size || size > kMostHeader || size > total - sizeof size)
    return wrong(path, "it is cut short");
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  auto header = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object())
    return wrong(path, "its header is not JSON");
  uint64_t room = total - sizeof size - size;
  for (const auto &[name, entry] : header.items()) {
    if (name == "__metadata__")
      continue;
    if (!entry.is_object() || entry.value("dtype", "") != "F32" || !entry.contains("shape") ||
        !entry["shape"].is_array() || !entry.contains("data_offsets") ||
        !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
      return wrong(path, fmt::format("expected '{}' to be a tensor of F32", name));
    Place tensor;
    uint64_t elements = 1;
    for (const auto &extent : entry["shape"]) {
      if (!extent.is_number_unsigned() || extent.get<uint64_t>() > room)
        return wrong(path, fmt::format("the shape of '{}' is none", name));
      tensor.shape.push_back(extent.get<int64_t>());
      elements *= extent.get<uint64_t>();
      if (elements > room)
        return wrong(path, fmt::format("'{}' leaves the file", name));
    }
    const auto &places = entry["data_offsets"];
    if (!places[0].is_number_unsigned() || !places[1].is_number_unsigned() ||
        places[0].get<uint64_t>() > room || places[1].get<uint64_t>() > room ||
        places[1].get<uint64_t>() - places[0].get<uint64_t>() != elements * sizeof(float))
      return wrong(path, fmt::format("'{}' leaves the file", name));
    tensor.elements = elements;
    tensor.begin = sizeof size + size + places[0].get<uint64_t>();
    opened.places.emplace(name, std::move(tensor));
  }
  return opened;
}

Result<void> SafetensorsFile::read(const Place &place, std::span<float> into) {
  file.seekg(static_cast<std::streamoff>(place.begin));
  file.read(reinterpret_cast<char *>(into.data()), static_cast<std::streamsize>(into.size_bytes()));
  if (!file)
    return wrong(path, "it is cut short");
  return {};
}

Result<std::map<std::string, StoredTensor>> readSafetensors(const std::string &path) {
  auto file = SafetensorsFile::open(path);
  if (!file)
    return file.error();
  std::map<std::string, StoredTensor> tensors;
  for (const auto &[name, place] : file->tensors()) {
    StoredTensor &tensor = tensors[name];
    tensor.shape = place.shape;
    tensor.values.resize(place.elements);
    if (Result<void> read = file->read(place, tensor.values); !read)
      return read.error();
  }
  return tensors;
}

} // namespace sparsec
