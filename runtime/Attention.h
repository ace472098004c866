// Attention forward as a call: one compiled kernel, launched on a device for every head of its
// entry and every batch, on tensors given by address and strides.
//
//   a model of 6 heads, a pattern of 2 entries:      entry 0: heads 0 2 4    entry 1: heads 1 3 5
//   grid of entry 1 = (block rows of nq, 3, batch)   work item (x, y, z): head 1 + 2 y, batch z,
//                                                    block row rowOrder[x], longest first
//
// The block tables are built for the lengths of a call, uploaded, and kept until other lengths are
// asked for. Heads share one table unless the predicate mentions h.
//
// Refused, as input errors that name the argument: addresses and strides that are not multiples of
// 16 bytes, strides that leave the memory given, an `out` or `lse` whose rows overlap, heads that
// are no multiple of kv heads, lengths and positions that leave 32 bits.
#pragma once

#include "layout/HeadTables.h"
#include "runtime/Buffer.h"

namespace sparsec {

/// Memory seen as [batch, heads, rows, columns] by strides in elements; columns are contiguous.
struct Tensor {
  DeviceAddress address = 0;          ///< of element [0, 0, 0, 0]; 0: there is none
  size_t bytes = 0;                   ///< that may be touched from `address` on
  std::array<int64_t, 3> stride = {}; ///< batch, head, row
};

struct AttentionShape {
  int64_t batch = 1, heads = 1, kvHeads = 1;
  int64_t nq = 0, n = 0; ///< query rows, keys
  int64_t q0 = 0;        ///< position of query row 0; n - nq unless said otherwise
  bool operator==(const AttentionShape &) const = default;
};

/// The heads of a model that take one of a pattern's entries in turn.
Heads headsOfEntry(int64_t entry, int64_t entries, int64_t modelHeads);

struct AttentionCall {
  AttentionShape shape;
  Heads heads; ///< that use the kernel
  Tensor q, k, v, out;
  Tensor lse;                 ///< f32, stride[2] is not used; address 0: not wanted
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
};

/// Everything the call needs to be right, without a device.
Result<void> checkCall(const Kernel &kernel, const AttentionCall &call);

/// A kernel on a device, ready to be launched. Must not outlive the device.
class Attention {
public:
  /// `attend` is the predicate that the kernel was compiled from.
  static Result<Attention> load(Device &device, Kernel kernel, Expr attend);

  const Kernel &kernel() const { return compiled; }
  /// Enqueues one launch (none when there is nothing to compute). The device's synchronize() says
  /// whether it went well.
  Result<void> launch(const AttentionCall &call);

private:
  struct DeviceTables {
    AttentionShape shape;
    Heads heads;
    Buffer offsets = {}, columns = {}, rowOrder = {};
    int32_t rowsPerHead = 0;
  };
  Result<void> prepare(const AttentionShape &shape, const Heads &heads);

  Device *device = nullptr;
  Kernel compiled;
  Expr attend;
  std::unique_ptr<Executable> executable;
  std::optional<DeviceTables> ready;
};

} // namespace sparsec
