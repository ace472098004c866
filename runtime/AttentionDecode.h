// Attention of new queries over cached keys and values as a call: the kernels of one entry of a
// pattern, for a batch of sequences whose lengths lie in device memory.
//
//   cache of a sequence   k, v rows 0 1 2 ... length-1, the new ones among them, then room to `most`
//   nq new queries        the rows length-nq .. length-1 of the sequence
//
//   plan = decode.prepare({.batch = 4, .heads = 8, .kvHeads = 2, .nq = 1, .most = 8192}, heads)
//   decode.launch(plan, {.q = q, .k = k, .v = v, .out = out, .lengths = lengths, ...})
//     a fold for each part     items: (sequence, group of heads, query, slice of the row's blocks)
//     a merge                  where a query's row is in several slices or parts
//
// What a launch needs beside the tensors depends on `most` alone: the blocks of each position. It
// is a plan, worked out once, so a sequence that grows costs nothing on the host. How many slices
// a row is cut in depends on the shape and the pattern alone: the same bits on any machine. Both
// are immutable: several threads may launch at once, each with a workspace of its own.
//
// A query whose position would be below 0 or from `most` on does not exist: nothing is written.
// Rows of the cache from a sequence's length on may hold anything.
//
// Refused, as input errors that name the argument: what runtime/Attention.h refuses, and what
// kernel/ops/AttentionDecode.h does.
#pragma once

#include "kernel/ops/DecodeNumbers.h"
#include "runtime/Attention.h"
#include "runtime/Workspace.h"

namespace sparsec {

struct DecodeShape {
  int64_t batch = 1, heads = 1, kvHeads = 1;
  int64_t nq = 1;   ///< new queries of each sequence, 1 .. 16
  int64_t most = 0; ///< the greatest length: rows of the cache
  bool operator==(const DecodeShape &) const = default;
};

struct AttentionDecodeCall {
  Tensor q;                   ///< [batch, heads, nq, head dim]
  Tensor k, v;                ///< [batch, kv heads, most, dim]
  Tensor out;                 ///< [batch, heads, nq, value dim]
  Tensor lse;                 ///< f32 [batch, heads, nq]; address 0: not wanted
  Tensor lengths;             ///< i32 [batch], those of the new queries among them
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
  Tensor workspace;           ///< of the plan's workspaceBytes(), 256-byte aligned
  DeviceAddress scratch = 0;  ///< of its scratchBytes(); 0: the device's own, one launch at a time
  void *stream = nullptr;     ///< Device.h
};

/// The kernels of a part: its fold and, of the last part, the merge.
struct DecodePart {
  AttentionDecodeRequest request;
  std::vector<Kernel> kernels;
};

/// What launches of one shape over some heads read. Must not outlive the device.
class AttentionDecodePlan {
public:
  const DecodeShape &shape() const { return asked; }
  const Heads &heads() const { return used; }
  /// What a call needs while it runs: the sums of slices.
  size_t workspaceBytes() const { return sums; }
  /// What its kernels need for themselves (Device::scratchBytes()).
  size_t scratchBytes() const { return scratch; }
  /// In device memory.
  size_t residentBytes() const;
  /// Blocks of all positions, heads and parts.
  BlockCounts blocks() const;
  /// Slices of a query's row, over all parts; 0 where nothing is launched.
  int64_t slots() const { return parts.empty() ? 0 : parts.back().firstSlot + parts.back().slices; }
  /// What each part's launch reads.
  size_t partCount() const { return parts.size(); }
  const UploadedNumbers &numbers(size_t part) const { return parts[part].numbers; }

private:
  friend class AttentionDecode;
  struct Part {
    UploadedNumbers numbers;
    int64_t slices = 1, firstSlot = 0;
  };
  int64_t places() const { return asked.batch * groupCount * asked.nq; }

  DecodeShape asked;
  Heads used;
  std::vector<Part> parts;
  Buffer groups;
  int64_t groupCount = 0, headsOfGroup = 0; ///< of the largest one
  size_t sums = 0, scratch = 0;
};

/// The kernels of an entry on a device, ready to be launched. Must not outlive the device.
class AttentionDecode {
public:
  /// The parts of the entry: disjoint, the first one first and the last one last.
  static Result<AttentionDecode> load(Device &device, std::vector<DecodePart> parts,
                                      BlockSource source = BlockSource::Auto);

  /// Of the last part; dtype and dims are all parts'.
  const AttentionDecodeRequest &request() const { return parts.back().request; }
  /// Works out and uploads what calls of this shape need.
  Result<AttentionDecodePlan> prepare(const DecodeShape &shape, const Heads &heads) const;
  /// Enqueues a launch for each part and the merge (none when there is nothing to compute).
  Result<void> launch(const AttentionDecodePlan &plan, const AttentionDecodeCall &call) const;

private:
  struct Slots {
    explicit Slots(const Kernel &kernel);
    ViewSlot q, k, v, out, lse, partMax, partSum, partOut, lengths;
    Slot keyOrder, groups, rowForms, blockOffsets, blockColumns, rowOrder;
    Slot headFirst, headStep, layoutStride, formStride;
    Slot items, groupCount, nq, most, slices, firstSlot, whole, slots, scale;
  };
  struct Loaded {
    Kernel kernel;
    std::unique_ptr<Executable> executable;
    Slots slots;
  };
  struct Part {
    AttentionDecodeRequest request;
    Loaded fold;
  };
  static Result<Loaded> loadKernel(Device &device, Kernel kernel);
  Result<void> prepareGroups(AttentionDecodePlan &plan) const;
  Result<void> prepareParts(AttentionDecodePlan &plan) const;
  Arguments arguments(const Loaded &loaded, const AttentionDecodePlan &plan,
                      const UploadedNumbers &numbers, const AttentionDecodeCall &call) const;
  Result<void> launch(const Loaded &loaded, const Arguments &arguments, int64_t items,
                      const AttentionDecodeCall &call) const;

  Device *device = nullptr;
  BlockSource source = BlockSource::Auto;
  std::vector<Part> parts;
  std::optional<Loaded> merge;
};

} // namespace sparsec
