#include "runtime/c/CallTensors.h"

#include <fmt/format.h>

namespace sparsec {
namespace {

std::string deviceText(int32_t type, int32_t id) {
  switch (type) {
  case SPARSEC_DL_CPU:
    return "cpu";
  case SPARSEC_DL_CUDA:
  case SPARSEC_DL_CUDA_MANAGED:
    return fmt::format("cuda:{}", id);
  case SPARSEC_DL_SIM:
    return "sim";
  default:
    return fmt::format("DLPack's device {}", type);
  }
}

bool sameDevice(const sparsec_tensor &given, const CallContext &context) {
  switch (given.device.device_type) {
  case SPARSEC_DL_CUDA_HOST: // memory of the process
    return context.dlpackType == SPARSEC_DL_CPU;
  case SPARSEC_DL_CUDA_MANAGED: // of all of them
    return context.dlpackType != SPARSEC_DL_SIM;
  case SPARSEC_DL_CUDA:
    return context.dlpackType == SPARSEC_DL_CUDA && given.device.device_id == context.dlpackId;
  default:
    return given.device.device_type == context.dlpackType;
  }
}

bool sameType(const sparsec_tensor &given, DType expected) {
  int code = expected == DType::BF16 ? SPARSEC_DL_BFLOAT : SPARSEC_DL_FLOAT;
  return given.dtype.code == code && given.dtype.bits == 8 * bytes(expected) &&
         given.dtype.lanes == 1;
}

std::string typeText(const sparsec_tensor &given) {
  const auto &[code, bits, lanes] = given.dtype;
  if (lanes == 1 && code == SPARSEC_DL_FLOAT && (bits == 16 || bits == 32))
    return fmt::format("f{}", bits);
  if (lanes == 1 && code == SPARSEC_DL_BFLOAT && bits == 16)
    return "bf16";
  return fmt::format("DLPack's type ({}, {}, {})", code, bits, lanes);
}

std::string shapeText(const int64_t *shape, int count) {
  return fmt::format("[{}]", fmt::join(shape, shape + count, ", "));
}

/// Bytes that a tensor of these strides spans; all there are where 64 bits do not count them.
size_t spanOf(const std::array<int64_t, 3> &extent, const std::array<int64_t, 3> &stride,
              int64_t columns, int elementBytes) {
  int64_t last = columns;
  for (int i = 0; i < 3; ++i) {
    int64_t reach = 0;
    if (extent[i] == 0)
      return 0;
    if (__builtin_mul_overflow(extent[i] - 1, stride[i], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      return 0;
  }
  return __builtin_mul_overflow(last, elementBytes, &last) || last < 0 ? 0
                                                                       : static_cast<size_t>(last);
}

} // namespace

Result<Tensor> tensorOf(const sparsec_tensor *given, const TensorExpectation &expected,
                        const CallContext &context) {
  auto refuse = [&](auto what, auto found) {
    return inputError(fmt::format("{}: expected {}, found {}", expected.name, what, found));
  };
  if (!given)
    return refuse("a tensor", "null");
  if (!sameDevice(*given, context))
    return refuse("memory of " + deviceText(context.dlpackType, context.dlpackId),
                  deviceText(given->device.device_type, given->device.device_id));
  if (!sameType(*given, expected.dtype))
    return refuse(name(expected.dtype), typeText(*given));
  bool isRows = expected.columns != 0;
  int count = isRows ? 4 : 3;
  if (given->ndim != count)
    return refuse(fmt::format("{} dimensions", count), given->ndim);
  if (!given->shape)
    return refuse("a shape", "null");
  bool rowsFirst = isRows && context.layout == SPARSEC_BSHD;
  int head = rowsFirst ? 2 : 1, row = rowsFirst ? 1 : 2;
  int64_t shape[4] = {expected.batch, 0, 0, expected.columns};
  shape[head] = expected.heads;
  shape[row] = expected.rows;
  if (!std::equal(shape, shape + count, given->shape))
    return refuse("shape " + shapeText(shape, count), shapeText(given->shape, count));
  int64_t strides[4] = {1, 1, 1, 1};
  if (given->strides) {
    std::copy(given->strides, given->strides + count, strides);
  } else {
    for (int i = count - 2; i >= 0; --i)
      strides[i] = strides[i + 1] * std::max<int64_t>(shape[i + 1], 1);
  }
  if (strides[count - 1] != 1 && shape[count - 1] > 1)
    return refuse("a contiguous last dimension", fmt::format("stride {}", strides[count - 1]));
  Tensor tensor;
  if (given->data)
    tensor.address = reinterpret_cast<DeviceAddress>(given->data) + given->byte_offset;
  std::array<int64_t, 3> extent = {expected.batch, expected.heads, expected.rows};
  if (isRows) {
    tensor.stride = {strides[0], strides[head], strides[row]};
    tensor.bytes = spanOf(extent, tensor.stride, expected.columns, bytes(expected.dtype));
  } else {
    tensor.stride = {strides[0], strides[1], 1};
    extent[2] = 1;
    tensor.bytes = spanOf(extent, tensor.stride, expected.rows, bytes(expected.dtype));
  }
  return tensor;
}

Result<Tensor> denseOf(const sparsec_tensor *given, const char *name, uint8_t code,
                       std::span<const int64_t> shape, const CallContext &context) {
  auto refuse = [&](auto what, auto found) {
    return inputError(fmt::format("{}: expected {}, found {}", name, what, found));
  };
  auto dims = static_cast<int>(shape.size());
  if (!given)
    return refuse("a tensor", "null");
  if (!sameDevice(*given, context))
    return refuse("memory of " + deviceText(context.dlpackType, context.dlpackId),
                  deviceText(given->device.device_type, given->device.device_id));
  if (given->dtype.code != code || given->dtype.bits != 32 || given->dtype.lanes != 1)
    return refuse(code == SPARSEC_DL_INT ? "i32" : "f32", typeText(*given));
  if (given->ndim != dims)
    return refuse(fmt::format("{} dimension{}", dims, dims > 1 ? "s" : ""), given->ndim);
  if (!given->shape)
    return refuse("a shape", "null");
  if (!std::equal(shape.begin(), shape.end(), given->shape))
    return refuse("shape " + shapeText(shape.data(), dims), shapeText(given->shape, dims));
  int64_t count = 1;
  for (int i = dims - 1; i >= 0; --i) {
    if (given->strides && given->strides[i] != count && shape[i] > 1)
      return refuse("dense memory", fmt::format("stride {}", given->strides[i]));
    count *= shape[i];
  }
  Tensor tensor{.bytes = static_cast<size_t>(count) * 4, .stride = {count, count, count}};
  if (given->data)
    tensor.address = reinterpret_cast<DeviceAddress>(given->data) + given->byte_offset;
  return tensor;
}

} // namespace sparsec
