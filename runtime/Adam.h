// The optimiser's step as a call (kernel/ops/Adam.h says what is computed, and how buffers lie):
// three launches, that read the learning rate, the loss scale and the number of the step from
// device memory and leave the next ones there, so that a captured graph of them can be run again.
//
//   std::vector<AdamSegment> segments = adamSegments({{768 * 768, true}, {768, false}});
//   Adam adam = Adam::load(device, kernels, request, segments)
//   upload AdamState{{.rate = 3e-4, .lossScale = 65536}} to `memory`; call.setState(memory)
//   each step: forward and backward of loss * lossScale; adam.launch(call)
//
// Refused, as input errors that name the argument: segments that do not follow each other row by
// row; what LoadedKernel.h refuses.
#pragma once

#include "kernel/ops/Adam.h"
#include "runtime/Buffer.h"
#include "runtime/LoadedKernel.h"

#include <cstddef>
#include <limits>

namespace sparsec {

/// One tensor of the model in the flat buffers.
struct AdamSegment {
  int64_t offset = 0, length = 0; ///< in elements; offset is that of a row
  bool decay = true;              ///< whether weight decay applies
};

struct AdamLength {
  int64_t length = 0;
  bool decay = true;
};
/// Segments one after the other, each at the first row that is free.
std::vector<AdamSegment> adamSegments(std::span<const AdamLength> lengths);
/// Elements of a flat buffer of segments, the last row's padding included.
int64_t flatLength(std::span<const AdamSegment> segments);

struct AdamSettings {
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
  float decay = 0.01f;                                     ///< of segments that decay
  float mostNorm = std::numeric_limits<float>::infinity(); ///< gradients are scaled down to it
  /// The loss scale: times `backoff` where a step overflows, times `growth` after `interval` steps
  /// in a row that do not (0: never); within [least, most].
  float growth = 2, backoff = 0.5f, leastScale = 1, mostScale = 0x1p24f;
  int32_t interval = 2000;
};

/// Buffers of flatLength() elements.
struct AdamCall {
  Tensor weights, gradients, m, v; ///< gradients of the request's type, the others f32
  Tensor copy;                     ///< of the request's type, where it has one
  Tensor reals, integers;          ///< of an AdamState
  AdamSettings settings;

  /// The whole of it at an address.
  void setState(DeviceAddress address) {
    reals = {.address = address, .bytes = sizeof(AdamState::Reals)};
    integers = {.address = address + offsetof(AdamState, integers),
                .bytes = sizeof(AdamState::Integers)};
  }
};

/// Must not outlive the device.
class Adam {
public:
  static Result<Adam> load(Device &device, std::vector<Kernel> kernels, const AdamRequest &request,
                           std::span<const AdamSegment> segments);
  /// Enqueues the launches of a step.
  Result<void> launch(const AdamCall &call) const;
  /// In device memory.
  size_t residentBytes() const { return rowInfo.heldBytes() + parts.heldBytes(); }

private:
  AdamRequest request;
  LoadedKernel norm, control, update;
  Buffer rowInfo; ///< i32 of each row: the elements that count, and kDecays
  Buffer parts;   ///< [shares, kRow] f32
  int64_t rows = 0, share = 0, shares = 0;
};

} // namespace sparsec
