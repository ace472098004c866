// Where an address leads, and whether the access is allowed: bounds, alignment, initialisation,
// races. Every instruction that touches memory goes through here.
#pragma once

#include "runtime/sim/Machine.h"

namespace sparsec::sim {

struct Access {
  Space space = Space::Generic;
  uint32_t bytes = 4; ///< of one lane: a power of two up to 16, which is also the alignment
  bool reads = false, writes = false;
  bool strong = false; ///< atomic, volatile, relaxed and stronger: no race with other strong ones
  bool acquires = false, releases = false;
};

/// Host addresses of w.address for the lanes of w.mask, into w.host; false: refused, the launch has
/// failed.
bool resolve(Warp &w, const Inst &in, const Access &access);

/// w.address = column a + imm. Flag 1 of the instruction: a has 32 bits.
void computeAddresses(Warp &w, const Inst &in);

/// One lane or the whole warp (lane = wholeWarp) accesses shared memory.
bool checkShared(Warp &w, const Inst &in, int lane, uint32_t address, const Access &access);
/// The whole warp accesses rows of 16 bytes of shared memory, at w.address[0] to [count - 1]; a
/// message names the lane that gave the row's address.
bool checkSharedRows(Warp &w, const Inst &in, int count, const Access &access);
/// A lane starts a copy that writes shared memory at any time from now on.
bool checkAsyncTarget(Warp &w, const Inst &in, int lane, uint32_t address, const Access &access);
/// A lane reads (or writes) global memory. Null: refused.
uint8_t *checkGlobal(Warp &w, const Inst &in, int lane, uint64_t address, const Access &access);
/// Says what a conflict is, and fails the launch.
void reportConflict(Warp &w, const Inst &in, int lane, const Conflict &conflict, Space space,
                    uint64_t address, const Access &access);

} // namespace sparsec::sim
