#include "runtime/Tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

namespace sparsec {

namespace {

/// Bytes from the first element to one past the last, or nothing when that leaves 64 bits.
std::optional<int64_t> bytesSpanned(const Operand &operand) {
  int64_t last = operand.columns;
  for (int i = 0; i < 3; ++i) {
    int64_t reach = 0;
    if (__builtin_mul_overflow(operand.extent[i] - 1, operand.tensor.stride[i], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      return std::nullopt;
  }
  int64_t size = 0;
  if (__builtin_mul_overflow(last, operand.elementBytes, &size))
    return std::nullopt;
  return size;
}

/// Nothing is touched.
bool isEmpty(const Operand &operand) {
  return std::ranges::any_of(operand.extent, [](int64_t e) { return e == 0; }) ||
         operand.columns == 0;
}

/// An axis of two operands in bytes: by how much an index of one may lie past that of the other.
struct SharedAxis {
  int64_t stride = 0;
  int64_t least = 0, most = 0;
};

/// Whether rows meet, where the second operand's first row begins `delta` bytes after the first
/// operand's. Axes by falling stride: each steps over all that those after it reach.
bool rowsMeet(std::span<const SharedAxis> axes, int64_t delta, int64_t bytes, int64_t otherBytes) {
  if (axes.empty())
    return delta < bytes && -delta < otherBytes;
  int64_t reach = std::max(bytes, otherBytes);
  for (const SharedAxis &axis : axes.subspan(1))
    reach += axis.stride * std::max(-axis.least, axis.most);
  const SharedAxis &axis = axes.front();
  // Only steps that leave the rest within its reach.
  int64_t from = std::max(axis.least, -(delta + reach) / axis.stride - 1);
  int64_t to = std::min(axis.most, (reach - delta) / axis.stride + 1);
  for (int64_t step = from; step <= to; ++step)
    if (rowsMeet(axes.subspan(1), delta + step * axis.stride, bytes, otherBytes))
      return true;
  return false;
}

} // namespace

Result<void> checkApart(const Operand &written, const Operand &other) {
  if (isEmpty(written) || isEmpty(other))
    return {};
  DeviceAddress a = written.tensor.address, b = other.tensor.address;
  auto spanA = static_cast<DeviceAddress>(bytesSpanned(written).value_or(0));
  auto spanB = static_cast<DeviceAddress>(bytesSpanned(other).value_or(0));
  if (a + spanA <= b || b + spanB <= a)
    return {};
  std::vector<SharedAxis> axes;
  bool likeEachOther = true;
  for (int i = 0; i < 3; ++i) {
    if (written.extent[i] == 1 && other.extent[i] == 1)
      continue;
    int64_t stride = written.tensor.stride[i] * written.elementBytes;
    likeEachOther &= stride > 0 && stride == other.tensor.stride[i] * other.elementBytes;
    axes.push_back({stride, 1 - written.extent[i], other.extent[i] - 1});
  }
  std::ranges::sort(axes, [](auto &x, auto &y) { return x.stride > y.stride; });
  if (likeEachOther &&
      !rowsMeet(axes, static_cast<int64_t>(b - a), written.columns * written.elementBytes,
                other.columns * other.elementBytes))
    return {};
  return inputError(fmt::format("{}: expected memory of its own, found that it overlaps {}",
                                written.name, other.name));
}

Result<void> checkOperand(const Operand &operand) {
  const auto &[name, tensor, extent, columns, elementBytes, alignment] = operand;
  if (isEmpty(operand))
    return {};
  if (tensor.address == 0)
    return inputError(fmt::format("{}: expected memory, found address 0", name));
  if (tensor.address % alignment != 0)
    return inputError(fmt::format("{}: expected an address that is a multiple of {} bytes, found "
                                  "0x{:x}",
                                  name, alignment, tensor.address));
  constexpr std::string_view axis[] = {"batch", "head", "row"};
  for (int i = 0; i < 3; ++i) {
    if (tensor.stride[i] < 0)
      return inputError(
          fmt::format("{}: expected a {} stride >= 0, found {}", name, axis[i], tensor.stride[i]));
    // Extent 1: the stride is never used. Reduced first, so that the product cannot overflow.
    if (extent[i] > 1 && tensor.stride[i] % alignment * elementBytes % alignment != 0)
      return inputError(fmt::format("{}: expected a {} stride that is a multiple of {} elements "
                                    "({} bytes), found {}",
                                    name, axis[i], alignment / elementBytes, alignment,
                                    tensor.stride[i]));
  }
  std::optional<int64_t> needed = bytesSpanned(operand);
  if (!needed || static_cast<uint64_t>(*needed) > tensor.bytes)
    return inputError(fmt::format(
        "{}: expected at least {} bytes for {} x {} x {} x {} elements by strides {}, {}, {}, "
        "found {}",
        name, needed ? std::to_string(*needed) : "2^63", extent[0], extent[1], extent[2], columns,
        tensor.stride[0], tensor.stride[1], tensor.stride[2], tensor.bytes));
  return {};
}

Result<void> checkDisjoint(const Operand &operand) {
  if (isEmpty(operand))
    return {};
  std::array<int, 3> axes = {0, 1, 2};
  const auto &stride = operand.tensor.stride;
  std::ranges::sort(axes, [&](int a, int b) { return stride[a] < stride[b]; });
  int64_t reach = operand.columns;
  for (int axis : axes) {
    if (operand.extent[axis] <= 1)
      continue;
    if (stride[axis] < reach)
      return inputError(fmt::format("{}: expected rows that do not overlap, found strides {}, {}, "
                                    "{} for rows of {} elements",
                                    operand.name, stride[0], stride[1], stride[2],
                                    operand.columns));
    reach += (operand.extent[axis] - 1) * stride[axis];
  }
  return {};
}

} // namespace sparsec
