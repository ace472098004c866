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
// Plans and launches are Attention.h's: immutable, and a launch allocates nothing, copies nothing
// and waits for nothing. Refused, as input errors that name the argument: what Attention refuses;
// no query rows at all.
#pragma once

#include "kernel/ops/AttentionBackward.h"
#include "runtime/Attention.h"
#include "runtime/UploadedNumbers.h"

namespace sparsec {

struct AttentionBackwardCall {
  Tensor q, k, v, out, dout;  ///< as forward took and gave them; dout like out
  Tensor lse;                 ///< f32, as forward gave it; stride[2] is not used
  Tensor dlse;                ///< gradient of lse, likewise; address 0: none
  Tensor dq, dk, dv;          ///< like q, k, v
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
  Tensor workspace;           ///< of the plan's workspaceBytes(), 256-byte aligned
  /// Of the plan's scratchBytes(), 256-byte aligned; 0: the device's own, one launch at a time.
  DeviceAddress scratch = 0;
  void *stream = nullptr; ///< Device.h
};

/// Everything the call needs to be right, without a device. Not its workspace.
Result<void> checkCall(const AttentionBackwardRequest &request, const AttentionShape &shape,
                       const AttentionBackwardCall &call);

/// One part of a pass.
struct BackwardPart {
  AttentionBackwardRequest request;
  std::vector<Kernel> kernels; ///< over queries (delta,) dq; over keys dk and dv
};

/// The kernels of one entry.
struct BackwardEntry {
  std::vector<BackwardPart> queries, keys; ///< the two passes, parts in the order they run
};

/// What launches of one shape read. Must not outlive the device.
class AttentionBackwardPlan {
public:
  const AttentionShape &shape() const { return asked; }
  /// What a call needs while it runs, beside its tensors.
  size_t workspaceBytes() const { return sums.bytes(); }
  /// What its kernels need for themselves (Device::scratchBytes()).
  size_t scratchBytes() const { return scratch; }
  /// In device memory.
  size_t residentBytes() const;

  /// The launches of one part of a pass over one entry.
  struct Part {
    int64_t entry = 0; ///< of load()'s
    AttentionBackwardRequest::Pass pass = AttentionBackwardRequest::Pass::Queries;
    int64_t part = 0; ///< of the pass
    Heads heads;
    UploadedNumbers numbers;
    Buffer groups; ///< of the pass over keys: kernel/ops/KeyGroups.h
    struct Launch {
      Arguments arguments; ///< all that does not depend on the call
      LaunchShape shape;
    };
    std::vector<Launch> launches; ///< of its kernels; empty: nothing to compute
  };
  /// In the order they run.
  const std::vector<Part> &all() const { return parts; }

private:
  friend class AttentionBackward;
  /// Where what launches leave for those after them lies in the workspace, in elements.
  struct Sums {
    int64_t delta = 0;      ///< [batch, heads, nq]
    int64_t dq = 0;         ///< [batch, heads, nq, dim], where parts meet
    int64_t dk = 0, dv = 0; ///< [batch, kv heads, n, dim], where launches meet
    int64_t elements = 0;   ///< of all
    size_t bytes() const { return static_cast<size_t>(elements) * sizeof(float); }
  };
  AttentionShape asked;
  std::vector<Part> parts;
  Sums sums;
  size_t scratch = 0;
};

/// Must not outlive the device.
class AttentionBackward {
public:
  /// Entries that between them are used by every head of a model: head h uses entry h modulo their
  /// number.
  static Result<AttentionBackward> load(Device &device, std::vector<BackwardEntry> entries,
                                        BlockSource source = BlockSource::Auto);
  /// Works out and uploads what calls of this shape need.
  Result<AttentionBackwardPlan> prepare(const AttentionShape &shape) const;
  /// Enqueues the launches of all entries; the device's synchronize() says whether they went well.
  Result<void> launch(const AttentionBackwardPlan &plan, const AttentionBackwardCall &call) const;

private:
  /// Where a kernel takes what every call gives it: by name once, when it is loaded.
  struct Slots {
    Slots() = default;
    explicit Slots(const Signature &signature);
    std::vector<ViewSlot> views;
    std::vector<Slot> pointers, numbers;
    Slot scale, dlseRows;
  };
  struct Loaded {
    Kernel kernel;
    std::unique_ptr<Executable> executable;
    Slots slots;
  };
  struct Part {
    AttentionBackwardRequest request; ///< with the block that the compiler chose
    std::vector<Loaded> kernels;
  };
  struct Entry {
    std::vector<Part> queries, keys;
  };
  using Plan = AttentionBackwardPlan;

  static Result<std::vector<Part>> load(Device &device, std::vector<BackwardPart> parts);
  Heads headsOf(size_t entry, const AttentionShape &shape) const;
  Result<Plan::Part> prepare(const Part &part, const Heads &heads,
                             const AttentionShape &shape) const;
  void addLaunches(const Part &part, const AttentionShape &shape, int64_t y,
                   Plan::Part &planned) const;
  Plan::Sums sumsOf(const AttentionShape &shape, bool launchesMeet) const;
  const Part &partOf(const Plan::Part &planned) const;

  Device *device = nullptr;
  BlockSource source = BlockSource::Auto;
  std::vector<Entry> entries;
};

} // namespace sparsec
