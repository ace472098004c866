// Attention backward as a call: the gradients of q, k and v of a model's heads, each by the kernels
// of the entry that it uses.
//
//   for each entry    delta, dq     over its query heads
//                     dk, dv        over the kv heads that its query heads share
//
// A kv head whose query heads use several entries gets its sums from several launches, which hand
// them over in f32 memory that this object owns: the first starts from zero, the last one leaves dk
// and dv. Launches run in the order of the entries, so that results repeat bit for bit.
//
// Refused, as input errors that name the argument: what Attention refuses of its tensors; no query
// rows at all.
#pragma once

#include "kernel/ops/AttentionBackward.h"
#include "runtime/Attention.h"
#include "runtime/UploadedNumbers.h"

namespace sparsec {

struct AttentionBackwardCall {
  AttentionShape shape;
  Tensor q, k, v, out, dout;  ///< as forward took and gave them; dout like out
  Tensor lse;                 ///< f32, as forward gave it; stride[2] is not used
  Tensor dlse;                ///< gradient of lse, likewise; address 0: none
  Tensor dq, dk, dv;          ///< like q, k, v
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
};

/// Everything the call needs to be right, without a device.
Result<void> checkCall(const AttentionBackwardRequest &request, const AttentionBackwardCall &call);

/// The kernels of one entry, and the model's heads that use it.
struct BackwardEntry {
  AttentionBackwardRequest queries, keys; ///< the two passes
  std::vector<Kernel> queryKernels;       ///< delta, dq
  Kernel keyKernel;
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
  /// Enqueues the launches of all entries; the device's synchronize() says whether they went well.
  Result<void> launch(const AttentionBackwardCall &call);

private:
  /// Numbers of one pass, on the device.
  struct Ready : UploadedNumbers {
    Buffer groups; ///< of the keys' pass: dialect/ops/attention/Backward.cpp
    int64_t groupCount = 0;
  };
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
  struct Entry {
    BackwardEntry given; ///< its kernels are the ones below
    Loaded delta, dq, dkv;
    Ready queries, keys;
  };

  Result<void> prepare(Entry &entry, const AttentionShape &shape);
  Result<void> makeReady(const AttentionBackwardRequest &request, const Heads &heads,
                         const AttentionShape &shape, bool takesForms, Ready &ready) const;
  std::vector<int32_t> groupsOf(const Entry &entry, const AttentionShape &shape) const;
  bool meets(const AttentionShape &shape) const;
  Result<void> run(const Loaded &loaded, const Entry &entry, const Ready &ready, int64_t y,
                   const AttentionBackwardCall &call);

  Device *device = nullptr;
  BlockSource source = BlockSource::Auto;
  std::vector<Entry> entries;
  Buffer delta;          ///< [batch, heads, nq] in f32
  Buffer dkSums, dvSums; ///< [batch, kv heads, n, dim] in f32, where launches meet
  std::optional<AttentionShape> readyShape;
};

} // namespace sparsec
