// One thread block while it runs: warps, their diverged parts, barriers, shared memory.
//
// A warp is a tree of splits. A branch whose lanes disagree parks its split at the place where the
// ways meet (the immediate post-dominator) and makes a child for each way; a child that gets there
// hands its lanes back.
//
//   0: @p bra 3     split A {0..31} waits at 4
//   1: ...            child B {lanes with !p}: 1, 2, then its lanes are gathered in A
//   3: ...            child C {lanes with p}:  3, then A goes on at 4 with all its lanes
//   4: join
//
// Only one split runs at a time. A split blocks at a barrier, at bar.warp.sync and at any other
// .sync instruction whose mask names lanes that are elsewhere.
#pragma once

#include "runtime/sim/AsyncEngine.h"
#include "runtime/sim/Memory.h"
#include "runtime/sim/Program.h"
#include "runtime/sim/SimDevice.h"

#include <random>

namespace sparsec::sim {

struct ThreadBlock;

/// A call that has not returned. Functions have one frame and one set of registers; a recursive one
/// keeps those of the activation before here.
struct Call {
  uint32_t returnTo = 0;
  int function = -1; ///< of Program::recursive; -1: not recursive
  std::vector<uint8_t> columns, frames;
  std::vector<uint32_t> predicates, initialised;
};

struct Split {
  enum class State : uint8_t { Free, Ready, Gathering, AtBarrier, AtCollective };
  State state = State::Free;
  uint32_t mask = 0;
  uint32_t pc = 0;
  uint32_t reconverge = noJoin; ///< where it hands its lanes to the parent
  int parent = -1;
  uint32_t gathered = 0;   ///< Gathering: lanes that have come back
  uint32_t wanted = 0;     ///< AtCollective: the mask of the instruction
  uint32_t executing = 0;  ///< AtCollective: lanes that execute it
  uint32_t place = noJoin; ///< AtCollective: where the others must be
  std::vector<Call> calls;
};

struct Warp {
  // What handlers use, first and together.
  char *regs = nullptr;
  const char *consts = nullptr;
  uint32_t *preds = nullptr;
  const int32_t *operands = nullptr;
  uint32_t mask = 0;   ///< lanes that execute the instruction
  uint32_t active = 0; ///< lanes of the current split
  uint32_t pc = 0;     ///< of the next instruction
  bool leave = false;  ///< the current split has stopped or changed: choose again
  ThreadBlock *block = nullptr;
  int index = 0;
  uint32_t live = 0;
  uint32_t carry = 0;       ///< CC.CF of each lane
  uint32_t *init = nullptr; ///< lanes in which tracked registers are set

  std::vector<Split> splits;
  int current = -1;
  bool starved = false; ///< lanes were let past their join so that others could go on
  uint32_t polls = 0;   ///< strong accesses since lanes last met
  AsyncQueue async;

  // Scratch of memory instructions.
  alignas(64) uint64_t address[32];
  uint8_t *host[32];

  template <class T>
  const T *in(int32_t o) const {
    return reinterpret_cast<const T *>(o >= 0 ? regs + o : consts + ~o);
  }
  template <class T>
  T *out(int32_t o) const {
    return reinterpret_cast<T *>(regs + o);
  }
};

struct Barrier {
  uint32_t arrived = 0;  ///< threads
  uint32_t expected = 0; ///< threads; 0: all of the block
  Clocks::Barrier seen;
  struct Waiting {
    int warp, split;
    uint32_t mask;
    uint32_t source;   ///< instruction
    int32_t predicate; ///< bar.red: where its result goes
  };
  std::vector<Waiting> waiting;
  uint32_t votesTrue = 0, votes = 0; ///< bar.red
};

/// What a launch has in common for all its blocks.
struct Launch {
  const Program *program = nullptr;
  LaunchShape shape;
  SimOptions options;
  Memory *memory = nullptr;
  SimReport *report = nullptr;
  std::vector<uint8_t> parameters;
  std::vector<uint64_t> counts; ///< executed, by Program::opcodes
  uint64_t instructions = 0;
};

struct ThreadBlock {
  ThreadBlock(Launch &launch);

  /// Runs one block to its end.
  Result<void> run(std::array<uint32_t, 3> index, uint64_t serial);

  // For handlers: what goes wrong, in the words of the message, for a lane of the warp (-1: none).
  void fail(Warp &warp, const Inst &inst, int lane, std::string message);
  std::string threadName(int warp, int lane) const;
  bool checks() const { return launch.options.checks == SimChecks::On; }
  bool hasFault(SimFault fault) const { return launch.options.fault == fault; }
  ShadowPointer sharedShadow(uint32_t offset) {
    return shadow[offset / 1024].at(offset / 4 % ShadowPage::granules);
  }

  // Divergence.cpp
  void exitLanes(Warp &warp, uint32_t mask);
  void diverge(Warp &warp, const Inst &inst, uint32_t taken, uint32_t target, uint32_t next);
  void join(Warp &warp, uint32_t at);
  /// False: the split has blocked until all lanes of `wanted` are here; else warp.mask is all of
  /// them.
  bool gather(Warp &warp, const Inst &inst, uint32_t wanted);
  /// The same for bar.warp.sync, which lanes may reach at different places.
  bool gatherAnywhere(Warp &warp, const Inst &inst, uint32_t wanted);

  // Barriers.cpp
  void arrive(Warp &warp, const Inst &inst, uint32_t id, uint32_t threads, bool waits,
              bool aligned);
  void completeBarriers();
  void complete(Barrier &barrier);
  std::string describeDeadlock(Place &place) const;

  Launch &launch;
  const Program &program;
  std::array<uint32_t, 3> index = {};
  uint64_t serial = 0;
  uint32_t threads = 0, liveThreads = 0;
  uint32_t sharedBytes = 0; ///< end of the shared window in use
  std::vector<uint8_t> shared;
  std::vector<ShadowPage> shadow;
  std::vector<uint8_t> local;
  std::vector<uint8_t> parameters;
  Clocks clocks;
  RaceCheck races;
  std::vector<Warp> warps;
  std::array<Barrier, 16> barriers;
  std::optional<Error> failure;

private:
  void start();
  void fillSpecials(Warp &warp);
  uint64_t runWarp(Warp &warp, uint64_t budget);
  int chooseSplit(Warp &warp);
  void releaseStarved(Warp &warp);
  int newSplit(Warp &warp, uint32_t mask, uint32_t pc, uint32_t reconverge, int parent);
  void settle(Warp &warp, int split);
  bool gatherAt(Warp &warp, uint32_t wanted, uint32_t place);

  std::vector<char> registers;
  std::vector<uint32_t> predicates, initialised;
  std::mt19937_64 random;
};

/// Calls body(lane) for each lane of the mask, lowest first.
template <class Body>
void forLanes(uint32_t mask, Body body) {
  for (; mask; mask &= mask - 1)
    body(std::countr_zero(mask));
}

} // namespace sparsec::sim
