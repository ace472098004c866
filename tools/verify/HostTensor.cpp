#include "tools/verify/HostTensor.h"

#include "runtime/Float16.h"

#include <algorithm>
#include <cstring>

namespace sparsec {

namespace {

constexpr std::byte kFiller{0xFF};      // NaN in every type
constexpr int64_t kFrontFence = 1024;   // keeps the 256-byte alignment of an allocation
constexpr int64_t kBackFenceRows = 128; // a whole tile past the end

void store(DType type, std::byte *to, float value) {
  uint16_t half = 0;
  switch (type) {
  case DType::F32:
    std::memcpy(to, &value, 4);
    return;
  case DType::F16:
    half = floatToF16(value);
    break;
  case DType::BF16:
    half = floatToBf16(value);
    break;
  }
  std::memcpy(to, &half, 2);
}

float load(DType type, const std::byte *from) {
  float value = 0;
  uint16_t half = 0;
  switch (type) {
  case DType::F32:
    std::memcpy(&value, from, 4);
    return value;
  case DType::F16:
    std::memcpy(&half, from, 2);
    return f16ToFloat(half);
  case DType::BF16:
    std::memcpy(&half, from, 2);
    return bf16ToFloat(half);
  }
  return value;
}

} // namespace

HostTensor::HostTensor(const TensorSpec &spec) : shape(spec) {
  auto [batch, heads, rows] = spec.extent;
  int64_t width = spec.columns + spec.gap;
  switch (spec.order) {
  case TensorOrder::BatchHeadRow:
    stride = {heads * (rows + spec.rowGap) * width, (rows + spec.rowGap) * width, width};
    break;
  case TensorOrder::BatchRowHead:
    stride = {(rows + spec.rowGap) * heads * width, width, heads * width};
    break;
  }
  int64_t elements = 0;
  if (size() > 0)
    elements =
        (batch - 1) * stride[0] + (heads - 1) * stride[1] + (rows - 1) * stride[2] + spec.columns;
  int64_t element = sparsec::bytes(spec.dtype);
  int64_t back = 0;
  if (spec.surround == Surround::Filled) {
    front = kFrontFence;
    back = kBackFenceRows * stride[2] * element;
  }
  image.assign(front + elements * element + back, kFiller);
}

int64_t HostTensor::size() const {
  return shape.extent[0] * shape.extent[1] * shape.extent[2] * shape.columns;
}

template <class F>
void HostTensor::forEach(F visit) const {
  int64_t element = sparsec::bytes(shape.dtype);
  int64_t index = 0;
  for (int64_t b = 0; b < shape.extent[0]; ++b)
    for (int64_t h = 0; h < shape.extent[1]; ++h)
      for (int64_t r = 0; r < shape.extent[2]; ++r)
        for (int64_t c = 0; c < shape.columns; ++c)
          visit(index++, front + (b * stride[0] + h * stride[1] + r * stride[2] + c) * element);
}

void HostTensor::set(std::span<const float> values) {
  forEach([&](int64_t index, int64_t at) { store(shape.dtype, &image[at], values[index]); });
}

std::vector<float> HostTensor::get() const {
  std::vector<float> values(size());
  forEach([&](int64_t index, int64_t at) { values[index] = load(shape.dtype, &image[at]); });
  return values;
}

Result<void> HostTensor::upload(Device &device) {
  Result<Buffer> buffer = Buffer::upload(device, image);
  if (!buffer)
    return buffer.error();
  memory = std::move(*buffer);
  return {};
}

Result<void> HostTensor::download(Device &device) {
  if (image.empty())
    return {};
  return device.copyToHost(image.data(), memory.address(), image.size());
}

Result<bool> HostTensor::unchanged(Device &device) const {
  std::vector<std::byte> now(image.size());
  if (now.empty())
    return true;
  if (Result<void> copied = device.copyToHost(now.data(), memory.address(), now.size()); !copied)
    return copied.error();
  return now == image;
}

Tensor HostTensor::tensor() const {
  if (image.empty())
    return {};
  return {.address = memory.address() + front, .bytes = memory.bytes() - front, .stride = stride};
}

std::optional<int64_t> HostTensor::firstOverwritten() const {
  std::vector<bool> element(image.size());
  int64_t width = sparsec::bytes(shape.dtype);
  forEach([&](int64_t, int64_t at) { std::fill_n(element.begin() + at, width, true); });
  for (size_t at = 0; at < image.size(); ++at)
    if (!element[at] && image[at] != kFiller)
      return static_cast<int64_t>(at) - front;
  return std::nullopt;
}

HostTensor::Unwritten HostTensor::unwritten() const {
  Unwritten result;
  int64_t width = sparsec::bytes(shape.dtype);
  forEach([&](int64_t index, int64_t at) {
    auto begin = image.begin() + at;
    if (!std::all_of(begin, begin + width, [](std::byte b) { return b == kFiller; }))
      return;
    if (result.count++ == 0)
      result.first = index;
  });
  return result;
}

float roundTo(DType type, float value) {
  std::byte bits[4];
  store(type, bits, value);
  return load(type, bits);
}

float (*rounding(DType type))(float) {
  switch (type) {
  case DType::F32:
    return [](float value) { return value; };
  case DType::F16:
    return [](float value) { return f16ToFloat(floatToF16(value)); };
  case DType::BF16:
    return [](float value) { return bf16ToFloat(floatToBf16(value)); };
  }
  return nullptr;
}

} // namespace sparsec
