#include "runtime/Tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

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

} // namespace

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
