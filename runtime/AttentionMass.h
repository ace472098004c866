// Block sums of attention weights as a call: looking inside attention.
//
//   mass.prepare(shape, heads)       which blocks are live, head after head, row after row
//   mass.blocks()                    {head 0, row 0, column 0}, {0, 1, 0}, {0, 1, 1}, ...
//   mass.launch({shape, heads, q, k, lse, .mass = m, .squares = s})
//                                    m[batch][i] = sum of p over blocks()[i], s likewise of p^2
//
// A row of p adds up to 1 over all its blocks where lse is that of the same predicate. Refused, as
// input errors that name the argument: what runtime/Attention.h refuses; more blocks than 32 bits
// count.
#pragma once

#include "kernel/ops/AttentionMass.h"
#include "runtime/Attention.h"

namespace sparsec {

struct AttentionMassCall {
  AttentionShape shape;
  Heads heads; ///< that use the entry
  Tensor q, k; ///< as forward's
  Tensor lse;  ///< f32, as forward gives it
  Tensor mass; ///< f32 [batch, blocks], dense
  Tensor squares;
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
};

/// Must not outlive the device.
class AttentionMass {
public:
  /// The kernels of the request, one.
  static Result<AttentionMass> load(Device &device, std::vector<Kernel> kernels,
                                    AttentionMassRequest request);

  /// With the block that was compiled.
  const AttentionMassRequest &request() const { return asked; }
  /// Works out and uploads the live blocks of a shape, if they are not there yet.
  Result<void> prepare(const AttentionShape &shape, const Heads &heads);
  /// Of the shape that was prepared, of one batch.
  std::span<const MassBlock> blocks() const { return list; }
  /// In device memory, for the shape that was prepared.
  size_t residentBytes() const { return uploaded.heldBytes(); }
  /// Enqueues a launch, none when no block is live.
  Result<void> launch(const AttentionMassCall &call);

private:
  struct Slots {
    Slots() = default;
    explicit Slots(const Kernel &kernel);
    ViewSlot q, k, lse, mass, squares;
    Slot blocks, items, perBatch, n, nq, q0, headGroup, scale;
  };

  Device *device = nullptr;
  AttentionMassRequest asked;
  Kernel kernel;
  std::unique_ptr<Executable> executable;
  Slots slots;
  std::vector<MassBlock> list;
  Buffer uploaded;
  std::optional<AttentionShape> readyShape;
  Heads readyHeads;
};

} // namespace sparsec
