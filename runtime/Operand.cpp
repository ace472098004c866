#include "runtime/Operand.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace sparsec {
namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxGridYZ = 65535; // of every CUDA device

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

Result<void> checkShape(const AttentionShape &shape, const Heads &heads) {
  auto refuse = [](std::string_view what, int64_t found) {
    return inputError(fmt::format("expected {}, found {}", what, found));
  };
  if (shape.batch < 0 || shape.batch > kMaxGridYZ)
    return refuse("a batch of 0 to 65535", shape.batch);
  if (shape.heads < 1 || shape.heads > kMaxGridYZ)
    return refuse("1 to 65535 heads", shape.heads);
  if (shape.kvHeads < 1 || shape.heads % shape.kvHeads != 0)
    return inputError(fmt::format("expected kv heads that divide the {} heads, found {}",
                                  shape.heads, shape.kvHeads));
  if (shape.n < 0 || shape.n >= kMaxInt32)
    return refuse("0 <= n < 2^31 - 1 keys", shape.n);
  if (shape.nq < 0 || shape.nq >= kMaxInt32)
    return refuse("0 <= nq < 2^31 - 1 query rows", shape.nq);
  if (shape.q0 <= -kMaxInt32 || shape.q0 >= kMaxInt32 || shape.q0 + shape.nq > kMaxInt32)
    return inputError(fmt::format("expected query positions q0 .. q0 + nq in 32 bits, found q0 = "
                                  "{}, nq = {}",
                                  shape.q0, shape.nq));
  // Small numbers first, so that the last product cannot overflow.
  if (heads.first < 0 || heads.step < 1 || heads.step > kMaxInt32 || heads.count < 0 ||
      heads.count > shape.heads ||
      (heads.count && heads.first + (heads.count - 1) * heads.step >= shape.heads))
    return inputError(fmt::format("expected heads below {}, found {} from {} in steps of {}",
                                  shape.heads, heads.count, heads.first, heads.step));
  return {};
}

} // namespace sparsec
