#include "model/Safetensors.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
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

Result<void> writeWhole(const std::string &path, std::span<const std::string_view> pieces) {
  std::string beside = path + ".part";
  int file = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0)
    return failed(beside, "cannot be created");
  for (std::string_view piece : pieces)
    while (!piece.empty()) {
      ssize_t put = write(file, piece.data(), piece.size());
      if (put < 0 && errno == EINTR)
        continue;
      if (put < 0) {
        Error error = failed(beside, "cannot be written");
        close(file);
        unlink(beside.c_str());
        return error;
      }
      piece.remove_prefix(static_cast<size_t>(put));
    }
  bool onDisk = fsync(file) == 0;
  if (close(file) != 0 || !onDisk || rename(beside.c_str(), path.c_str()) != 0)
    return failed(path, "cannot be put in place");
  return {};
}

Result<void> writeSafetensors(const std::string &path, const std::vector<NamedTensor> &tensors,
                              const std::map<std::string, std::string> &metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  std::vector<std::string_view> pieces(1);
  for (const NamedTensor &tensor : tensors) {
    header[tensor.name] = {{"dtype", "F32"},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.values.size_bytes()}}};
    offset += tensor.values.size_bytes();
    pieces.emplace_back(reinterpret_cast<const char *>(tensor.values.data()),
                        tensor.values.size_bytes());
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' '); // so that tensors are aligned
  uint64_t size = text.size();
  std::string front(reinterpret_cast<const char *>(&size), sizeof size);
  front += text;
  pieces[0] = front;
  return writeWhole(path, pieces);
}

Result<std::map<std::string, StoredTensor>> readSafetensors(const std::string &path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
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
  std::map<std::string, StoredTensor> tensors;
  for (const auto &[name, entry] : header.items()) {
    if (name == "__metadata__")
      continue;
    if (!entry.is_object() || entry.value("dtype", "") != "F32" || !entry.contains("shape") ||
        !entry["shape"].is_array() || !entry.contains("data_offsets") ||
        !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2)
      return wrong(path, fmt::format("expected '{}' to be a tensor of F32", name));
    StoredTensor tensor;
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
    tensor.values.resize(elements);
    file.seekg(static_cast<std::streamoff>(sizeof size + size + places[0].get<uint64_t>()));
    file.read(reinterpret_cast<char *>(tensor.values.data()),
              static_cast<std::streamsize>(elements * sizeof(float)));
    if (!file)
      return wrong(path, "it is cut short");
    tensors.emplace(name, std::move(tensor));
  }
  return tensors;
}

} // namespace sparsec
