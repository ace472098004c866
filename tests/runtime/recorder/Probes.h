// What single PTX instructions give, so that the simulator can be held against a real GPU.
//
//   a probe      one instruction with its operands' kinds, in a kernel of its own: thread i reads
//                the i-th set of operands and stores the results
//   a recording  the results of all probes on one device, as a small file
//
// Operands are made from the probe's name alone (edges crossed with edges, then random numbers), so
// a recording holds no operands and a new probe changes no other. Adding an instruction is one row
// in Probes.cpp.
#pragma once

#include "runtime/Device.h"

namespace sparsec::testing {

/// What an operand or a result is; decides its register, its edge cases and its random numbers.
enum class Kind : uint8_t {
  F32,
  F64,
  F16,
  BF16,
  F16x2,
  BF16x2,
  B32,      ///< any integer of 32 bits, with the edges of signed and unsigned
  B64,      ///< likewise
  Count,    ///< of a shift or a field: 0 .. 40 and a few far out
  Lane,     ///< 0 .. 31
  Small32,  ///< whole numbers from -8 to 8 as f32: sums of products are exact
  SmallF16, ///< likewise, two f16
  SmallBF16,
};
int bytes(Kind kind);

/// How a result may differ from the recorded one. The manual gives an error bound for
/// approximations: the GPU and the simulator may each be off by that much.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
  bool exact() const { return relative == 0 && absolute == 0; }
};

struct Probe {
  std::string name;
  /// Operands are %a0, %a1, ..., results %x0, %x1, ...; %p0..3 and %t0..7 are free, %s is the
  /// address of 16 bytes of shared memory of the thread's own (512 consecutive ones a warp).
  std::string code;
  std::vector<Kind> operands, results;
  Tolerance tolerance{};
};
const std::vector<Probe> &probes();

constexpr int probeThreads = 256; ///< one block; thread i has operand set i

/// The kernel "probe" (.param .u64 operands, .param .u64 results). Values lie in slots of 8 bytes:
/// operand k of thread i in slot k * probeThreads + i.
std::string probePtx(const Probe &probe);
std::vector<uint64_t> probeOperands(const Probe &probe);
/// Results in slots as operands are.
Result<std::vector<uint64_t>> runProbe(const Probe &probe, Device &device);

} // namespace sparsec::testing
