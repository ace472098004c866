// The optimiser's step as a request: Adam with decoupled weight decay over flat buffers, in three
// kernels that take every number that changes from step to step from device memory (AdamState).
//
//   norm       sum of squares of gradients / loss scale: a partial sum for each share of the rows
//   control    from those: the norm, what gradients are multiplied with, whether there is an
//              infinity or a NaN; the step's number, its bias corrections, the next loss scale
//   update     nothing where there is one; else, with g the gradient times `factor`:
//              m += (1 - beta1) (g - m)    v = beta2 v + (1 - beta2) g^2
//              w -= rate decay w           (segments that decay)
//              w -= rate / correction1  m / (sqrt(v / correction2) + epsilon)
//
// Buffers are rows of kRow elements. Segments (a weight matrix, a bias) begin at a row each:
//
//   lengths 100, 64, 3      row 0 | w w w ... w |     what lies between a segment and the next row
//                           row 1 | w .. w . .. |     is padding: read and written by update, left
//                           row 2 | b b b ... b |     out of the norm, of no meaning
//                           row 3 | c c c . ... |
#pragma once

#include "kernel/Request.h"

namespace sparsec {

struct AdamRequest {
  static constexpr std::string_view kOperation = "adam";
  static constexpr int kRow = 64; ///< elements: 128 bytes at least

  std::string entry;
  DType gradients = DType::F32;
  std::optional<DType> copy; ///< of the weights, written beside them; they and m, v are f32
  Block block;               ///< always 0
  Target target;
  int tileRows() const; ///< of a work item
};

/// What lies in device memory: the host writes rate, lossScale, step and clean before the first
/// step, and the rate whenever it likes; each step does the rest. Kernels take the reals and the
/// integers as two views.
struct AdamState {
  struct Reals {
    float rate = 0;      ///< learning rate
    float lossScale = 1; ///< what the loss, and so gradients, are multiplied with
    float norm = 0;      ///< of the last step's gradients / loss scale, unclipped; or infinite
    float clip = 1;      ///< at most 1
    float factor = 1;    ///< clip / loss scale: what the last step multiplied gradients with
    float correction1 = 0, correction2 = 0; ///< 1 - beta^step
    float unused = 0;
  } reals;
  struct Integers {
    int32_t step = 0;      ///< steps taken
    int32_t clean = 0;     ///< of them in a row since the loss scale last changed
    int32_t overflow = 0;  ///< 1: the last step met an infinity or a NaN, and changed no weight
    int32_t overflows = 0; ///< so far
  } integers;
};

/// The same by place.
enum class AdamReal : int32_t { Rate, LossScale, Norm, Clip, Factor, Correction1, Correction2 };
enum class AdamInteger : int32_t { Step, Clean, Overflow, Overflows };

Result<void> checkRequest(const AdamRequest &request);
Needs needsOf(const AdamRequest &request);
std::string describeRequest(const AdamRequest &request);
std::string printRequest(const AdamRequest &request);

} // namespace sparsec
