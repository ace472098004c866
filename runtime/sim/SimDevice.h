// The `sim` device: runs PTX text on the CPU, slowly and strictly.
//
//   auto device = openSimDevice({});
//   auto kernel = device->load(ptx, "attend_fwd");    refuses what it does not know, with the line
//   device->launch(**kernel, shape, parameters);
//   device->synchronize();                            "k.ptx:41:2: error: race on shared ..."
//   simReport(*device).executed("mma.sync");          warp-instructions by opcode
//
// It is made to catch bugs, so where the hardware leaves freedom it takes the unkind choice:
//   * cp.async lands at the wait that covers it, and its destination is poison until then;
//   * shared and global memory that was never written, registers that were never set, addresses out
//     of bounds or misaligned are errors, with the PTX line, thread and block;
//   * accesses of one block to shared or global memory that no barrier orders are errors, whatever
//     the order in which they happened to run (Clocks.h, Shadow.h);
//   * a barrier that cannot complete, a divergent bar.sync, too many instructions are errors.
//
// Blocks run one after another, the warps of a block in turns. Results do not depend on `seed`.
// A launch runs at once; its error is reported by the next synchronize() or copy, once.
#pragma once

#include "runtime/Device.h"

#include <map>

namespace sparsec {

/// Mistakes put into the simulator itself, to prove that the tests would notice them.
enum class SimFault : uint8_t {
  None,
  WrongMmaLaneMap,     ///< mma: accumulator rows of the two halves swapped
  WrongMmaOperandMap,  ///< mma: B's lane map with column and row pairs swapped
  WrongLdmatrixMap,    ///< ldmatrix: matrices 1 and 2 of .x4 swapped
  WrongLdmatrixTrans,  ///< ldmatrix: .trans ignored
  DroppedAsyncWait,    ///< cp.async.wait_group waits for nothing
  EagerAsync,          ///< cp.async lands when it is issued
  DroppedBarrierOrder, ///< bar.sync waits but orders no memory accesses
  DroppedBarrierWait,  ///< bar.sync orders but does not wait
  WrongShflClamp,      ///< shfl: the clamp of .down ignored
  WrongReconvergence,  ///< diverged lanes never reconverge
  WrongRounding,       ///< cvt.rn to 16-bit floats truncates
};

/// Whether the memory, register and race checks are made.
enum class SimChecks : uint8_t { On, Off };

struct SimOptions {
  SimChecks checks = SimChecks::On;
  SimFault fault = SimFault::None;
  uint64_t seed = 0;                             ///< of the order in which warps take turns
  uint64_t instructionLimit = uint64_t(1) << 34; ///< warp-instructions of a launch
};

/// What the kernels of a device have done since it was opened or the report was cleared.
struct SimReport {
  uint64_t warpInstructions = 0;
  uint64_t blocks = 0;
  uint64_t globalLoadBytes = 0, globalStoreBytes = 0, sharedLoadBytes = 0, sharedStoreBytes = 0;
  std::map<std::string, uint64_t, std::less<>> opcodes; ///< as written: "ld.shared.b32"

  /// Sum over the opcodes that start with this text.
  uint64_t executed(std::string_view prefix) const;
};

std::unique_ptr<Device> openSimDevice(SimOptions options = {});

/// Of a device that openSimDevice made.
const SimReport &simReport(const Device &device);
void clearSimReport(Device &device);

} // namespace sparsec
