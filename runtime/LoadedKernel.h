// One kernel of an operation on plain matrices and vectors, loaded on a device: the places of its
// arguments are found by name once, and each launch checks what it is handed and sets them.
//
//   kernel takes x[rows, columns], mean[rows] optional, items, rows, epsilon
//
//   LoadedKernel::load(device, kernel, {"x", "mean", "rows", "epsilon"})
//   loaded.launch(items, {read(x, {rows, columns}, DType::F32), written(mean, {1, rows}, DType::F32),
//                         int32_t(rows), 1e-5f})
//
// Values come in the order of the names; the number of items goes where the kernel's Grid says. A
// vector of one number a row is a matrix of one row. Refused, as input errors that name the
// argument: memory that is missing, misaligned or too small, strides that leave it, and rows that
// are written and overlap.
#pragma once

#include "kernel/DType.h"
#include "runtime/Launch.h"
#include "runtime/Tensor.h"

#include <variant>

namespace sparsec {

/// A matrix of a call: Tensor::stride[2] is that of its rows, in elements; of several matrices
/// stride[1] is that from one to the next.
struct MatrixArgument {
  enum class Use : uint8_t { Read, Written };
  struct Extent {
    int64_t rows = 1, columns = 0, matrices = 1;
  };
  Tensor tensor; ///< address 0: absent, where the kernel says that it may be
  Extent extent;
  int elementBytes = 4;
  Use use = Use::Read;
  int alignment = 0; ///< of address and rows in bytes; 0: as an element
};

/// Rows of dense or strided columns, and a vector.
Tensor matrix(DeviceAddress address, int64_t rows, int64_t stride, int elementBytes);

inline MatrixArgument read(const Tensor &tensor, MatrixArgument::Extent extent, DType type) {
  return {.tensor = tensor, .extent = extent, .elementBytes = bytes(type)};
}
inline MatrixArgument written(const Tensor &tensor, MatrixArgument::Extent extent, DType type) {
  return {.tensor = tensor,
          .extent = extent,
          .elementBytes = bytes(type),
          .use = MatrixArgument::Use::Written};
}

/// What a launch sets one argument of a kernel to.
using LaunchValue = std::variant<MatrixArgument, int32_t, float>;

/// Must not outlive the device.
class LoadedKernel {
public:
  LoadedKernel() = default;
  /// `names`: what launches will give, in their order. A name that the kernel does not take is left
  /// out when it launches.
  static Result<LoadedKernel> load(Device &device, Kernel kernel,
                                   std::span<const std::string_view> names);
  static Result<LoadedKernel> load(Device &device, Kernel kernel,
                                   std::initializer_list<std::string_view> names) {
    return load(device, std::move(kernel), std::span(names.begin(), names.size()));
  }

  /// Checks the values and enqueues; nothing is launched when there are no items.
  Result<void> launch(int64_t items, std::initializer_list<LaunchValue> values) const;

  const Kernel &kernel() const { return loaded; }

private:
  struct Place {
    std::string name;
    bool optional = false;
    size_t strides = 0; ///< of the view
    ViewSlot view;      ///< of a number its address alone is set
  };
  Result<void> set(Arguments &arguments, const Place &place, const LaunchValue &value) const;

  Device *device = nullptr;
  Kernel loaded;
  std::unique_ptr<Executable> executable;
  Slot items;
  std::vector<Place> places;
};

/// Tiles of so many rows.
inline int64_t tilesOf(int64_t rows, int64_t tile) {
  return (rows + tile - 1) / tile;
}

} // namespace sparsec
