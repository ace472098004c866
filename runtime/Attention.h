// Attention forward as a call: the kernels of one entry of a pattern, launched on a device for
// every head of the entry and every batch, on tensors given by address and strides.
//
//   a model of 6 heads, a pattern of 2 entries:      entry 0: heads 0 2 4    entry 1: heads 1 3 5
//   grid of entry 1 = (block rows of nq, 3, batch)   work item (x, y, z): head 1 + 2 y, batch z
//   entry 1 in two parts: one launch after the other; the second goes on from the first's sums in
//   f32, which lie in the call's workspace
//
//   Result<Attention> attention = Attention::load(device, parts);
//   Result<AttentionPlan> plan = attention->prepare(shape, heads);    works out and uploads
//   attention->launch(*plan, {.q = q, .k = k, .v = v, .out = out, .workspace = w});
//
// What a launch needs beside the tensors depends on the shape alone: the numbers of the token
// orders, and the live blocks of each row, as a closed form where there is one and else as tables.
// That is its plan. Heads share it unless the predicate mentions h. Both are immutable: several
// threads may launch at once, each with a workspace of its own. A launch allocates nothing, copies
// nothing and waits for nothing.
//
// Refused, as input errors that name the argument: addresses and strides that are not multiples of
// 16 bytes, strides that leave the memory given, an `out` or `lse` whose rows overlap, heads that
// are no multiple of kv heads, lengths and positions that leave 32 bits, a table of positions for
// another length, a workspace that is missing or too small.
#pragma once

#include "kernel/ops/Attention.h"
#include "layout/LaunchNumbers.h"
#include "runtime/Buffer.h"
#include "runtime/Launch.h"
#include "runtime/Tensor.h"
#include "runtime/UploadedNumbers.h"

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
  Tensor q, k, v, out;
  Tensor lse;                 ///< f32, stride[2] is not used; address 0: not wanted
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
  Tensor workspace;           ///< of the plan's workspaceBytes(), 256-byte aligned
  /// Of the plan's scratchBytes(), 256-byte aligned; 0: the device's own, one launch at a time.
  DeviceAddress scratch = 0;
  void *stream = nullptr; ///< Device.h
};

/// Everything the call needs to be right, without a device. Not its workspace.
Result<void> checkCall(const AttentionRequest &request, const AttentionShape &shape,
                       const AttentionCall &call);

/// A kernel and what it was compiled from.
struct AttentionPart {
  Kernel kernel;
  AttentionRequest request;
};

/// What launches of one shape over some heads read. Must not outlive the device.
class AttentionPlan {
public:
  const AttentionShape &shape() const { return asked; }
  const Heads &heads() const { return used; }
  /// What a call needs while it runs, beside its tensors.
  size_t workspaceBytes() const { return sums; }
  /// What its kernels need for themselves (Device::scratchBytes()).
  size_t scratchBytes() const { return scratch; }
  /// In device memory.
  size_t residentBytes() const;
  /// Of all parts and heads, of one batch.
  BlockCounts blocks() const;
  /// What each part's launch reads; none where nothing is launched.
  size_t partCount() const { return parts.size(); }
  const UploadedNumbers &numbers(size_t part) const { return parts[part].numbers; }

private:
  friend class Attention;
  struct Part {
    UploadedNumbers numbers;
    Arguments arguments; ///< all that does not depend on the call
    LaunchShape launch;
  };
  AttentionShape asked;
  Heads used;
  std::vector<Part> parts;
  size_t sums = 0, scratch = 0;
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
  /// Works out and uploads what calls of this shape need.
  Result<AttentionPlan> prepare(const AttentionShape &shape, const Heads &heads) const;
  /// Enqueues a launch for each part (none when there is nothing to compute). The device's
  /// synchronize() says whether it went well.
  Result<void> launch(const AttentionPlan &plan, const AttentionCall &call) const;

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
  };
  Result<AttentionPlan::Part> prepare(const Part &part, const AttentionShape &shape,
                                      const Heads &heads) const;
  void setSums(Arguments &arguments, size_t index, const AttentionPlan &plan,
               DeviceAddress sums) const;

  Device *device = nullptr;
  BlockSource source = BlockSource::Auto;
  std::vector<Part> parts;
};

} // namespace sparsec
