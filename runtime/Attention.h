// Attention forward as a call: the kernels of one entry of a pattern, launched on a device for
// every head of the entry and every batch, on tensors given by address and strides.
//
//   a model of 6 heads, a pattern of 2 entries:      entry 0: heads 0 2 4    entry 1: heads 1 3 5
//   grid of entry 1 = (block rows of nq, 3, batch)   work item (x, y, z): head 1 + 2 y, batch z
//   entry 1 in two parts: one launch after the other; the second goes on from the first's sums in
//   f32, which lie in the call's workspace
//
// What a launch needs beside the tensors depends on the lengths alone: the numbers of the token
// orders, and the live blocks of each row, as a closed form where there is one and else as tables.
// It is worked out for the lengths of a call, uploaded, and kept until other lengths are asked for.
// Heads share it unless the predicate mentions h.
//
// Refused, as input errors that name the argument: addresses and strides that are not multiples of
// 16 bytes, strides that leave the memory given, an `out` or `lse` whose rows overlap, heads that
// are no multiple of kv heads, lengths and positions that leave 32 bits, a table of positions for
// another length.
#pragma once

#include "kernel/ops/Attention.h"
#include "layout/LaunchNumbers.h"
#include "runtime/Buffer.h"
#include "runtime/Launch.h"
#include "runtime/Tensor.h"
#include "runtime/UploadedNumbers.h"
#include "runtime/Workspace.h"

namespace sparsec {

struct AttentionShape {
  int64_t batch = 1, heads = 1, kvHeads = 1;
  int64_t nq = 0, n = 0; ///< query rows, keys
  int64_t q0 = 0;        ///< position of query row 0; n - nq unless said otherwise
  bool operator==(const AttentionShape &) const = default;
};

/// Refuses lengths, heads and positions that no kernel takes.
Result<void> checkShape(const AttentionShape &shape, const Heads &heads);
bool sameHeads(const Heads &a, const Heads &b);
/// The heads of a model that take one of a pattern's entries in turn.
Heads headsOfEntry(int64_t entry, int64_t entries, int64_t modelHeads);

struct AttentionCall {
  AttentionShape shape;
  Heads heads; ///< that use the kernel
  Tensor q, k, v, out;
  Tensor lse;                 ///< f32, stride[2] is not used; address 0: not wanted
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
  Tensor workspace;           ///< of workspaceBytes(); address 0: the object's own
  /// Blocks that the caller chose (top-k routing, say), in device memory as BlockTables has them,
  /// instead of those of the pattern; the predicate still masks the partial ones. The entry must be
  /// one part in natural order. Columns are trusted to be block columns.
  struct Blocks {
    DeviceAddress offsets = 0, columns = 0;
    DeviceAddress rowOrder = 0; ///< 0: last row first
    int32_t rowsPerHead = 0;    ///< 0: all heads share one table
  };
  std::optional<Blocks> blocks;
};

/// Everything the call needs to be right, without a device.
Result<void> checkCall(const AttentionRequest &request, const AttentionCall &call);

/// A kernel and what it was compiled from.
struct AttentionPart {
  Kernel kernel;
  AttentionRequest request;
};

/// The kernels of an entry on a device, ready to be launched. Must not outlive the device.
class Attention {
public:
  /// The parts of the entry in order: disjoint, the first one first and the last one last.
  static Result<Attention> load(Device &device, std::vector<AttentionPart> parts,
                                BlockSource source = BlockSource::Auto);

  /// Of the last part.
  const Kernel &kernel() const { return parts.back().kernel; }
  /// Likewise; dtype and dims are all parts'.
  const AttentionRequest &request() const { return parts.back().request; }
  size_t partCount() const { return parts.size(); }
  /// Works out and uploads what a call of this shape needs, if it is not there yet.
  Result<void> prepare(const AttentionShape &shape, const Heads &heads);
  /// What a call needs while it runs.
  size_t workspaceBytes(const AttentionShape &shape, const Heads &heads) const;
  /// In device memory, for the lengths that were prepared.
  size_t residentBytes() const;
  /// Of all parts and heads, at the lengths that were prepared; for one batch.
  BlockCounts blocks() const;
  /// Enqueues a launch for each part (none when there is nothing to compute). The device's
  /// synchronize() says whether it went well.
  Result<void> launch(const AttentionCall &call);

private:
  /// Where a kernel takes what every call gives it.
  struct Slots {
    explicit Slots(const Signature &signature);
    ViewSlot q, k, v, out, lse, rowMax, rowSum, priorOut, priorMax, priorSum;
    Slot queryOrder, keyOrder, rowForms, blockOffsets, blockColumns, rowOrder;
    Slot n, nq, q0, headFirst, headStep, headGroup, layoutStride, formStride, scale;
  };
  struct Part {
    Kernel kernel;
    AttentionRequest request;
    std::unique_ptr<Executable> executable;
    Slots slots;
    UploadedNumbers ready; ///< for the lengths that are ready
  };
  Result<void> prepare(Part &part, const AttentionShape &shape, const Heads &heads);
  Arguments arguments(size_t index, const AttentionCall &call, DeviceAddress sums) const;

  Device *device = nullptr;
  BlockSource source = BlockSource::Auto;
  std::vector<Part> parts;
  Workspace workspace;
  std::optional<AttentionShape> readyShape;
  Heads readyHeads;
};

} // namespace sparsec
