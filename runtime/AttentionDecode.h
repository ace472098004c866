// Attention of new queries over cached keys and values as a call: the kernels of one entry of a
// pattern, for a batch of sequences whose lengths lie in device memory.
//
//   cache of a sequence   k, v rows 0 1 2 ... length-1, the new ones among them, then room to `most`
//   nq new queries        the rows length-nq .. length-1 of the sequence
//
//   decode.launch({.shape = {.batch = 4, .heads = 8, .kvHeads = 2, .nq = 1, .most = 8192}, ...})
//     a fold for each part     items: (sequence, group of heads, query, slice of the row's blocks)
//     a merge                  where a query's row is in several slices or parts
//
// What a launch needs beside the tensors depends on `most` alone: the blocks of each position. It
// is worked out once and kept, so a sequence that grows costs nothing on the host. How many slices
// a row is cut in depends on the shape and the pattern alone: the same bits on any machine.
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
  DecodeShape shape;
  Heads heads;                ///< that use the entry
  Tensor q;                   ///< [batch, heads, nq, head dim]
  Tensor k, v;                ///< [batch, kv heads, most, dim]
  Tensor out;                 ///< [batch, heads, nq, value dim]
  Tensor lse;                 ///< f32 [batch, heads, nq]; address 0: not wanted
  Tensor lengths;             ///< i32 [batch], those of the new queries among them
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
  Tensor workspace;           ///< of workspaceBytes(); address 0: the object's own
};

/// The kernels of a part: its fold and, of the last part, the merge.
struct DecodePart {
  AttentionDecodeRequest request;
  std::vector<Kernel> kernels;
};

/// Must not outlive the device.
class AttentionDecode {
public:
  /// The parts of the entry: disjoint, the first one first and the last one last.
  static Result<AttentionDecode> load(Device &device, std::vector<DecodePart> parts,
                                      BlockSource source = BlockSource::Auto);

  /// Works out and uploads what calls of this shape need, if it is not there yet.
  Result<void> prepare(const DecodeShape &shape, const Heads &heads);
  /// What a call of the shape that was prepared needs while it runs: the sums of slices.
  size_t workspaceBytes() const;
  /// In device memory, for the shape that was prepared.
  size_t residentBytes() const;
  /// Blocks of all positions, heads and parts, of the shape that was prepared.
  BlockCounts blocks() const;
  /// Slices of a query's row, over all parts.
  int64_t slots() const;
  Result<void> launch(const AttentionDecodeCall &call);

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
    UploadedNumbers ready; ///< for the length that is ready
    int64_t slices = 1, firstSlot = 0;
  };
  static Result<Loaded> loadKernel(Device &device, Kernel kernel);
  Result<void> prepareGroups(const DecodeShape &shape, const Heads &heads);
  Result<void> prepare(Part &part, const DecodeShape &shape, const Heads &heads);
  int64_t places() const { return readyShape->batch * groupCount * readyShape->nq; }
  Arguments arguments(const Loaded &loaded, const UploadedNumbers &numbers,
                      const AttentionDecodeCall &call, DeviceAddress sums) const;
  Result<void> launch(const Loaded &loaded, const Arguments &arguments, int64_t items);

  Device *device = nullptr;
  BlockSource source = BlockSource::Auto;
  std::vector<Part> parts;
  std::optional<Loaded> merge;
  Buffer groups;
  int64_t groupCount = 0, headsOfGroup = 0; ///< of the largest one
  Workspace workspace;
  std::optional<DecodeShape> readyShape;
  Heads readyHeads;
};

} // namespace sparsec
