// A tensor and what lies around it in memory, as an image on the host that goes to a device and
// comes back.
//
//   [rows, columns] = [2, 3], one element between rows, Surround::Filled:
//
//     # # # # | a b c # d e f | # # # # # #      # = filler: NaN in inputs (a kernel that reads it
//       fence     the tensor       fence             spoils its result), a canary in outputs (a
//                                                    kernel that writes it is found)
//   Surround::None: the allocation is a b c # d e f, so that a device that checks bounds sees every
//   access before a or after f.
#pragma once

#include "runtime/Buffer.h"
#include "runtime/Tensor.h"

namespace sparsec {

enum class TensorOrder {
  BatchHeadRow, ///< BHSD: the rows of a head follow each other
  BatchRowHead, ///< BSHD: the heads of a row follow each other
};

enum class Surround { None, Filled };

struct TensorSpec {
  std::array<int64_t, 3> extent = {}; ///< batch, heads, rows
  int64_t columns = 0;
  TensorOrder order = TensorOrder::BatchHeadRow;
  int64_t gap = 0;    ///< unused elements after each row (of a head, where heads interleave)
  int64_t rowGap = 0; ///< unused rows after the last one
  DType dtype = DType::F32;
  Surround surround = Surround::None;
};

class HostTensor {
public:
  /// Everything is filler, the elements too. The filler is a NaN of every type.
  explicit HostTensor(const TensorSpec &spec);

  const TensorSpec &spec() const { return shape; }
  int64_t size() const; ///< elements
  /// Elements in dense [batch, head, row, column] order.
  void set(std::span<const float> values);
  std::vector<float> get() const;

  Result<void> upload(Device &device);
  Result<void> download(Device &device);
  /// Whether the device still holds what upload() put there.
  Result<bool> unchanged(Device &device) const;
  /// For a call's arguments; valid after upload().
  Tensor tensor() const;

  /// Bytes outside of the elements that no longer hold the filler: offset of the first one from
  /// element 0, or nothing.
  std::optional<int64_t> firstOverwritten() const;
  /// Elements that still hold the filler, counted; and the first one's dense index.
  struct Unwritten {
    int64_t count = 0, first = 0;
  };
  Unwritten unwritten() const;
  const std::vector<std::byte> &bytes() const { return image; }

private:
  template <class F>
  void forEach(F visit) const; ///< (dense index, byte offset in the image)

  TensorSpec shape;
  std::array<int64_t, 3> stride = {};
  int64_t front = 0; ///< bytes before element 0
  std::vector<std::byte> image;
  Buffer memory;
};

/// One value in and out of a type's bits, rounded to nearest even.
float roundTo(DType type, float value);
/// The same as a function to hand on.
float (*rounding(DType type))(float);

} // namespace sparsec
