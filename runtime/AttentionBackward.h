// Attention backward as a call: the gradients of q, k and v of a model's heads, each by the kernels
// of the entry that it uses.
//
//   for each entry    delta, dq     over its query heads, part after part
//                     dk, dv        over the kv heads that its query heads share, part after part
//
// What several launches give to is handed over in f32 in the call's workspace: dq by the parts
// of a head; dk and dv of a kv head by parts and by all entries that its query heads use. The first
// starts from zero, the last one leaves the gradient. Launches run in a stated order, so that
// results repeat bit for bit.
//
// Refused, as input errors that name the argument: what Attention refuses of its tensors; no query
// rows at all.
#pragma once

#include "kernel/ops/AttentionBackward.h"
#include "runtime/Attention.h"
#include "runtime/UploadedNumbers.h"
#include "runtime/Workspace.h"

namespace sparsec {

struct AttentionBackwardCall {
  AttentionShape shape;
  Tensor q, k, v, out, dout;  ///< as forward took and gave them; dout like out
  Tensor lse;                 ///< f32, as forward gave it; stride[2] is not used
  Tensor dlse;                ///< gradient of lse, likewise; address 0: none
  Tensor dq, dk, dv;          ///< like q, k, v
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
  Tensor workspace;           ///< of workspaceBytes(); address 0: the object's own
};

/// Everything the call needs to be right, without a device.
Result<void> checkCall(const AttentionBackwardRequest &request, const AttentionBackwardCall &call);

/// One part of a pass.
struct BackwardPart {
  AttentionBackwardRequest request;
  std::vector<Kernel> kernels; ///< over queries (delta,) dq; over keys dk and dv
};

/// The kernels of one entry, and the model's heads that use it.
struct BackwardEntry {
  std::vector<BackwardPart> queries, keys; ///< the two passes, parts in the order they run
  Heads heads;
};

/// Must not outlive the device.
class AttentionBackward {
public:
  /// Entries that between them are used by every head of the model, each head once.
  static Result<AttentionBackward> load(Device &device, std::vector<BackwardEntry> entries,
                                        BlockSource source = BlockSource::Auto);
  /// Works out and uploads what a call of this shape needs, if it is not there yet.
  Result<void> prepare(const AttentionShape &shape);
  /// What a call of the shape that was prepared needs while it runs.
  size_t workspaceBytes() const { return size_t(sums.elements) * sizeof(float); }
  /// In device memory, for the shape that was prepared.
  size_t residentBytes() const;
  /// Enqueues the launches of all entries; the device's synchronize() says whether they went well.
  Result<void> launch(const AttentionBackwardCall &call);

private:
  /// Where a kernel takes what every call gives it: by name once, when it is loaded.
  struct Slots {
    Slots() = default;
    explicit Slots(const Signature &signature);
    std::vector<ViewSlot> views;
    std::vector<Slot> pointers, numbers;
    Slot scale;
  };
  struct Loaded {
    Kernel kernel;
    std::unique_ptr<Executable> executable;
    Slots slots;
  };
  /// A part of a pass with its numbers on the device.
  struct Part : UploadedNumbers {
    AttentionBackwardRequest request; ///< with the block that the compiler chose
    std::vector<Loaded> kernels;
    Buffer groups; ///< of the pass over keys: kernel/ops/KeyGroups.h
    int64_t groupCount = 0;
  };
  struct Entry {
    std::vector<Part> queries, keys;
    Heads heads;
  };

  static Result<std::vector<Part>> load(Device &device, std::vector<BackwardPart> parts);
  Result<void> prepare(Part &part, const Heads &heads, const AttentionShape &shape) const;
  /// Where what launches leave for those after them lies in the workspace, in elements.
  struct Sums {
    int64_t delta = 0;      ///< [batch, heads, nq]
    int64_t dq = 0;         ///< [batch, heads, nq, dim], where parts meet
    int64_t dk = 0, dv = 0; ///< [batch, kv heads, n, dim], where launches meet
    int64_t elements = 0;   ///< of all
  };
  Sums sumsOf(const AttentionShape &shape, bool launchesMeet) const;
  std::vector<Heads> keyLaunches() const;
  Result<void> run(const Part &part, const Heads &heads, int64_t y,
                   const AttentionBackwardCall &call, DeviceAddress workspace) const;

  Device *device = nullptr;
  BlockSource source = BlockSource::Auto;
  std::vector<Entry> entries;
  Sums sums;
  Workspace workspace;
  std::optional<AttentionShape> readyShape;
};

} // namespace sparsec
