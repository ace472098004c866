#include "tools/sparsec/import/Npy.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace sparsec::cli {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

Error refused(const std::string &name, std::string_view what) {
  return inputError(fmt::format("{}: {}", name, what));
}

/// What follows 'key': in the header, from its first character that is no blank.
std::string_view after(std::string_view header, std::string_view key) {
  size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos)
    return {};
  header.remove_prefix(at + key.size() + 3);
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

/// (8, 64, 64)
Result<std::vector<int64_t>> readShape(std::string_view text, const std::string &name) {
  std::vector<int64_t> shape;
  size_t close = text.find(')');
  if (text.empty() || text[0] != '(' || close == std::string_view::npos)
    return refused(name, "expected a shape in the header of the array, found none");
  int64_t elements = 1;
  for (const char *at = text.data() + 1, *end = text.data() + close; at < end;) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    int64_t size = 0;
    auto [stop, failure] = std::from_chars(at, end, size);
    if (failure != std::errc() || size < 0)
      return refused(name, "expected sizes in the shape of the array");
    if (size > kMostNpyElements || elements * size > kMostNpyElements)
      return refused(name, fmt::format("expected an array of at most {} elements, found more",
                                       kMostNpyElements));
    shape.push_back(size);
    elements *= size;
    at = stop;
  }
  return shape;
}

/// The bytes of an element and whether it has a sign; 0 bytes of what is no integer.
struct ElementType {
  int bytes = 0;
  bool isSigned = false;
};
ElementType elementType(std::string_view descr) {
  if (descr.size() < 5 || (descr[0] != '\'' && descr[0] != '"'))
    return {};
  char order = descr[1], kind = descr[2], size = descr[3];
  bool little = order == '<' || order == '|' || size == '1';
  bool integer = kind == 'b' || kind == 'u' || kind == 'i';
  bool known = size == '1' || size == '2' || size == '4' || size == '8';
  if (!little || !integer || !known || descr[4] != descr[0])
    return {};
  return {size - '0', kind == 'i'};
}

int64_t element(const char *from, ElementType type) {
  uint64_t bits = 0;
  for (int i = 0; i < type.bytes; ++i)
    bits |= uint64_t(static_cast<unsigned char>(from[i])) << (8 * i);
  int unused = 64 - 8 * type.bytes;
  if (type.isSigned && unused)
    return static_cast<int64_t>(bits << unused) >> unused;
  return static_cast<int64_t>(bits);
}

} // namespace

Result<NpyArray> parseNpy(const std::string &bytes, const std::string &name) {
  constexpr size_t kVersionOne = 10, kVersionTwo = 12;
  if (!bytes.starts_with(kMagic) || bytes.size() < kVersionTwo)
    return refused(name, "expected a NumPy array (.npy), found another kind of file");
  bool isLong = bytes[6] != 1;
  size_t begin = isLong ? kVersionTwo : kVersionOne, length = 0;
  for (size_t i = 8; i < begin; ++i)
    length |= size_t(static_cast<unsigned char>(bytes[i])) << (8 * (i - 8));
  if (length > bytes.size() - begin)
    return refused(name, "expected the header of a NumPy array, found the end of the file");
  std::string_view header(bytes.data() + begin, length);
  if (!after(header, "fortran_order").starts_with("False"))
    return refused(name, "expected an array in C order: save numpy.ascontiguousarray(a)");
  ElementType type = elementType(after(header, "descr"));
  if (!type.bytes)
    return refused(name, "expected booleans or integers: save a.astype(bool)");
  Result<std::vector<int64_t>> shape = readShape(after(header, "shape"), name);
  if (!shape)
    return shape.error();
  size_t elements = 1;
  for (int64_t size : *shape)
    elements *= static_cast<size_t>(size);
  size_t found = bytes.size() - begin - length;
  if (found != elements * static_cast<size_t>(type.bytes))
    return refused(name, fmt::format("expected {} bytes of elements, found {}",
                                     elements * static_cast<size_t>(type.bytes), found));
  NpyArray array{.shape = *std::move(shape), .values = std::vector<int64_t>(elements)};
  const char *data = bytes.data() + begin + length;
  for (size_t i = 0; i < elements; ++i)
    array.values[i] = element(data + i * static_cast<size_t>(type.bytes), type);
  return array;
}

std::string npyHeader(std::span<const int64_t> shape) {
  constexpr size_t kPreamble = 10, kAlignment = 64;
  std::string header = fmt::format("{{'descr': '|b1', 'fortran_order': False, 'shape': ({},), }}",
                                   fmt::join(shape, ", "));
  size_t total = (kPreamble + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.append(total - kPreamble - header.size() - 1, ' ');
  header += '\n';
  std::string out(kMagic);
  out += std::string("\x01\x00", 2);
  out += static_cast<char>(header.size() & 0xff);
  out += static_cast<char>(header.size() >> 8);
  return out + header;
}

} // namespace sparsec::cli
