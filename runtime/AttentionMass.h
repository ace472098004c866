// Block sums of attention weights as a call: looking inside attention.
//
//   plan = mass.prepare(shape, heads)   which blocks are live, head after head, row after row
//   plan.blocks()                       {head 0, row 0, column 0}, {0, 1, 0}, {0, 1, 1}, ...
//   mass.launch(plan, {.q = q, .k = k, .lse = lse, .mass = m, .squares = s})
//                                       m[batch][i] = sum of p over blocks()[i], s likewise of p^2
//
// A row of p adds up to 1 over all its blocks where lse is that of the same predicate. Refused, as
// input errors that name the argument: what runtime/Attention.h refuses; more blocks than 32 bits
// count.
#pragma once

#include "kernel/ops/AttentionMass.h"
#include "runtime/Attention.h"

namespace sparsec {

struct AttentionMassCall {
  Tensor q, k; ///< as forward's
  Tensor lse;  ///< f32, as forward gives it
  Tensor mass; ///< f32 [batch, blocks], dense
  Tensor squares;
  std::optional<float> scale; ///< 1 / sqrt(head dim) when absent
  Tensor workspace;           ///< of the plan's scratchBytes(); address 0: the device's own
  void *stream = nullptr;     ///< Device.h
};

/// The kernels of a request, one.
struct MassPart {
  AttentionMassRequest request;
  std::vector<Kernel> kernels;
};

/// What launches of one shape over some heads read. Must not outlive the device.
class AttentionMassPlan {
public:
  const AttentionShape &shape() const { return asked; }
  /// Of one batch.
  std::span<const MassBlock> blocks() const { return list; }
  /// What its kernel needs for itself (Device::scratchBytes()).
  size_t scratchBytes() const { return scratch; }
  /// In device memory.
  size_t residentBytes() const { return uploaded.heldBytes(); }

private:
  friend class AttentionMass;
  AttentionShape asked;
  std::vector<MassBlock> list;
  Buffer uploaded;
  size_t scratch = 0;
};

/// Must not outlive the device.
class AttentionMass {
public:
  /// The kernels of the request, one.
  static Result<AttentionMass> load(Device &device, std::vector<Kernel> kernels,
                                    AttentionMassRequest request);

  /// With the block that was compiled.
  const AttentionMassRequest &request() const { return asked; }
  /// Works out and uploads the live blocks of a shape.
  Result<AttentionMassPlan> prepare(const AttentionShape &shape, const Heads &heads) const;
  /// Enqueues a launch, none when no block is live.
  Result<void> launch(const AttentionMassPlan &plan, const AttentionMassCall &call) const;

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
};

} // namespace sparsec
