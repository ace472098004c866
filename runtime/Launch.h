// A kernel's launch, from what the kernel says of itself: its Signature and named values give the
// bytes of its argument struct, its Grid the shape.
//
//   Slot n(kernel.signature, "n");      by name once, when a kernel is loaded
//   Arguments arguments(kernel.signature);
//   arguments.set(n, 4096);             by offset at every launch
//
// What a kernel does not take has no field: setting it does nothing, so that hosts need not know
// which kernels read what.
#pragma once

#include "runtime/Device.h"

#include <cstring>

namespace sparsec {

/// A place in an argument struct; none of a field that the kernel does not take.
class Slot {
public:
  Slot() = default;
  Slot(const Signature &signature, std::string_view name) {
    if (const Field *field = signature.find(name))
      *this = Slot(*field);
  }
  explicit operator bool() const { return count > 0; }

private:
  friend class Arguments;
  explicit Slot(const Field &field) : offset(field.offset), count(field.count), type(field.type) {}
  int offset = 0, count = 0;
  [[maybe_unused]] FieldType type = FieldType::I32; ///< held against what is set
};

/// The places of a view: its pointer and its strides.
struct ViewSlot {
  Slot address, stride;
  ViewSlot() = default;
  ViewSlot(const Signature &signature, const std::string &name)
      : address(signature, name), stride(signature, name + "_stride") {}
};

/// The bytes of one launch. Copies of most kernels' need no allocation.
class Arguments {
public:
  explicit Arguments(const Signature &signature) {
    if (auto needed = static_cast<size_t>(signature.bytes() + 63) / 64; needed > few.size())
      many.resize(needed);
  }

  void setPointer(const Slot &slot, DeviceAddress address) {
    put(slot, FieldType::Pointer, address);
  }
  /// As many strides as the view has.
  void setView(const ViewSlot &slot, DeviceAddress address, std::span<const int64_t> stride) {
    setPointer(slot.address, address);
    set(slot.stride, stride);
  }
  void set(const Slot &slot, int32_t value) { put(slot, FieldType::I32, value); }
  void set(const Slot &slot, float value) { put(slot, FieldType::F32, value); }
  /// As many as the field has.
  void set(const Slot &slot, std::span<const int64_t> values) {
    for (size_t i = 0; i < values.size() && i < static_cast<size_t>(slot.count); ++i)
      put(slot, FieldType::I64, values[i], i);
  }
  /// What Device::launch takes as the kernel's only parameter.
  const void *data() const { return many.empty() ? few.data() : many.data(); }

private:
  struct alignas(64) Line { // tensor maps are aligned to as much
    std::byte bytes[64];
  };
  std::array<Line, 12> few = {};
  std::vector<Line> many; ///< in their place

  template <class T>
  void put(const Slot &slot, FieldType type, T value, size_t element = 0) {
    if (!slot)
      return;
    assert(slot.type == type && "a field is set as what it is");
    auto *image = reinterpret_cast<std::byte *>(many.empty() ? few.data() : many.data());
    std::memcpy(image + slot.offset + element * sizeof value, &value, sizeof value);
  }
};

/// The shape of a launch: `items` work items in x, heads in y, batches in z.
LaunchShape launchShape(const Kernel &kernel, int64_t items, int64_t heads, int64_t batch);
/// ... whose work is known: this many blocks of the kernel's layout in each batch.
LaunchShape launchShape(const Kernel &kernel, int64_t items, int64_t heads, int64_t batch,
                        int64_t liveBlocks);

} // namespace sparsec
