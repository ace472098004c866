// Copies that run beside the threads: they are issued, and have happened when a wait says so.
//
//   cp.async [s], [g], 16     started; the destination is in flight
//   cp.async.commit_group     group 0 = {that copy}
//   cp.async.wait_group 0     lands here, in the order of issue: not an instruction earlier
//
// Each lane has its own queue, as each thread has its own groups in PTX. A later proxy (TMA on
// mbarriers, wgmma reading shared memory) is another source of AsyncCopy with another way to say
// that it is complete; landing, poisoning and stamping stay the same.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sparsec::sim {

struct AsyncCopy {
  uint64_t from = 0;   ///< global address
  uint32_t to = 0;     ///< shared address
  uint32_t group = 0;  ///< of its lane
  uint32_t source = 0; ///< instruction that issued it
  uint8_t size = 0;    ///< bytes written
  uint8_t copied = 0;  ///< bytes read; the rest is zero
};

struct AsyncQueue {
  std::array<std::vector<AsyncCopy>, 32> copies;
  std::array<uint32_t, 32> committed = {}; ///< groups of each lane

  void reset() {
    for (auto &queue : copies)
      queue.clear();
    committed.fill(0);
  }
};

} // namespace sparsec::sim
