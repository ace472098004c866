#include "runtime/sim/Machine.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace sparsec::sim {

namespace {

/// A warp whose lanes wait at a join while others run this long, or look at memory for other
/// threads this often, may be spinning on the lanes that wait.
constexpr uint64_t starvationBudget = 1 << 22;
constexpr uint32_t starvationPolls = 1 << 8;

std::string triple(const std::array<uint32_t, 3> &v) {
  return fmt::format("({},{},{})", v[0], v[1], v[2]);
}

} // namespace

ThreadBlock::ThreadBlock(Launch &launch)
    : launch(launch), program(*launch.program), races(clocks), random(launch.options.seed) {
  const LaunchShape &shape = launch.shape;
  threads = shape.block[0] * shape.block[1] * shape.block[2];
  sharedBytes = program.dynamicSharedStart + shape.sharedBytes;
  shared.resize((sharedBytes + 15) / 16 * 16);
  shadow.resize(sharedBytes / 1024 + 1);
  warps.resize((threads + 31) / 32);
  registers.resize(size_t(program.registerBytes) * warps.size() + 64);
  predicates.resize(program.predicates * warps.size());
  initialised.resize(program.tracked * warps.size());
  local.resize(size_t(program.localBytes) * warps.size() * 32);
  parameters = launch.parameters;
}

/// Long: a case for each special register.
void ThreadBlock::fillSpecials(Warp &warp) {
  const LaunchShape &shape = launch.shape;
  for (auto [special, column] : program.specials) {
    uint32_t *out = warp.out<uint32_t>(column);
    for (uint32_t lane = 0; lane < 32; ++lane) {
      uint32_t thread = warp.index * 32 + lane, x = shape.block[0], y = shape.block[1];
      uint32_t value = 0;
      switch (special) {
      case Special::TidX:
        value = thread % x;
        break;
      case Special::TidY:
        value = thread / x % y;
        break;
      case Special::TidZ:
        value = thread / x / y;
        break;
      case Special::NtidX:
        value = x;
        break;
      case Special::NtidY:
        value = y;
        break;
      case Special::NtidZ:
        value = shape.block[2];
        break;
      case Special::CtaidX:
        value = index[0];
        break;
      case Special::CtaidY:
        value = index[1];
        break;
      case Special::CtaidZ:
        value = index[2];
        break;
      case Special::NctaidX:
        value = shape.grid[0];
        break;
      case Special::NctaidY:
        value = shape.grid[1];
        break;
      case Special::NctaidZ:
        value = shape.grid[2];
        break;
      case Special::LaneId:
        value = lane;
        break;
      case Special::WarpId:
        value = warp.index;
        break;
      case Special::NwarpId:
        value = warps.size();
        break;
      case Special::LanemaskEq:
        value = 1u << lane;
        break;
      case Special::LanemaskLt:
        value = (1u << lane) - 1;
        break;
      case Special::LanemaskLe:
        value = (2u << lane) - 1;
        break;
      case Special::LanemaskGe:
        value = ~((1u << lane) - 1);
        break;
      case Special::LanemaskGt:
        value = ~((2u << lane) - 1);
        break;
      case Special::SmId:
        value = 0;
        break;
      case Special::NsmId:
        value = 1;
        break;
      case Special::GridId:
        value = 0;
        break;
      case Special::DynamicSharedSize:
        value = shape.sharedBytes;
        break;
      case Special::TotalSharedSize:
        value = sharedBytes - sharedStart;
        break;
      case Special::Sink:
        value = 0;
        break;
      }
      out[lane] = value;
    }
  }
}

void ThreadBlock::start() {
  clocks.reset(warps.size());
  races.reset();
  for (ShadowPage &page : shadow)
    page = {};
  std::memset(shared.data(), poisonByte, shared.size());
  std::memset(local.data(), poisonByte, local.size());
  // Registers that were never set: with checks this is an error, without them a NaN.
  std::memset(registers.data(), poisonByte, registers.size());
  std::fill(predicates.begin(), predicates.end(), ~0u);
  std::fill(initialised.begin(), initialised.end(), 0);
  barriers.fill({});
  liveThreads = threads;
  for (size_t i = 0; i < warps.size(); ++i) {
    Warp &warp = warps[i];
    warp.block = this;
    warp.index = i;
    warp.regs = registers.data() + size_t(program.registerBytes) * i;
    warp.consts = reinterpret_cast<const char *>(program.constants.data());
    warp.preds = predicates.data() + program.predicates * i;
    warp.init = initialised.data() + program.tracked * i;
    warp.operands = program.operands.data();
    uint32_t lanes = std::min<uint32_t>(32, threads - i * 32);
    warp.live = lanes == 32 ? ~0u : (1u << lanes) - 1;
    warp.starved = warp.leave = false;
    warp.polls = 0;
    warp.async.reset();
    warp.splits.clear();
    warp.current = newSplit(warp, warp.live, program.start, noJoin, -1);
    fillSpecials(warp);
  }
}

int ThreadBlock::chooseSplit(Warp &warp) {
  int count = warp.splits.size();
  for (int i = 1; i <= count; ++i) {
    int split = (warp.current + i) % count;
    if (warp.splits[split].state == Split::State::Ready)
      return split;
  }
  return -1;
}

uint64_t ThreadBlock::runWarp(Warp &warp, uint64_t budget) {
  const Inst *code = program.code.data();
  uint64_t *counts = launch.counts.data(), executed = 0;
  Split *split = &warp.splits[warp.current];
  warp.active = split->mask;
  warp.pc = split->pc;
  warp.leave = false;
  for (uint64_t left = budget; left && !warp.leave; --left) {
    const Inst &inst = code[warp.pc++];
    warp.mask = warp.active;
    if (inst.guard >= 0) {
      warp.mask &= warp.preds[inst.guard] ^ inst.guardFlip;
      if (!warp.mask)
        continue;
    }
    ++counts[inst.counter];
    ++executed;
    inst.run(warp, inst);
  }
  launch.instructions += executed;
  if (!warp.leave) {
    split = &warp.splits[warp.current];
    split->pc = warp.pc;
    split->mask = warp.active;
  }
  return executed + 1; // an end even for code that only branches around
}

Result<void> ThreadBlock::run(std::array<uint32_t, 3> blockIndex, uint64_t blockSerial) {
  index = blockIndex;
  serial = blockSerial;
  start();
  std::vector<int> order(warps.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  uint64_t sinceProgress = launch.instructions;
  while (liveThreads && !failure) {
    bool ran = false;
    if (launch.options.seed)
      std::shuffle(order.begin(), order.end(), random);
    for (int which : order) {
      Warp &warp = warps[which];
      if (!warp.live || failure)
        continue;
      // The splits of a warp take turns within its turn.
      uint64_t turn = 256 + (launch.options.seed ? random() % 256 : 0), done = 0;
      for (int split; done < turn && !failure && (split = chooseSplit(warp)) >= 0; ran = true) {
        warp.current = split;
        done += runWarp(warp, turn - done);
      }
      if (warp.polls > starvationPolls)
        releaseStarved(warp);
    }
    if (launch.instructions > launch.options.instructionLimit && !failure)
      return inputError(fmt::format("{}: more than {} warp-instructions: an endless loop, or a "
                                    "limit that is too low (block {})",
                                    program.entry, launch.options.instructionLimit, triple(index)));
    if (launch.instructions - sinceProgress > starvationBudget) {
      sinceProgress = launch.instructions;
      for (Warp &warp : warps)
        releaseStarved(warp);
    }
    if (!ran && liveThreads && !failure) {
      Place place;
      std::string message = describeDeadlock(place);
      failure =
          inputError(message, SourceRange{program.source, place.line, place.column, place.length});
    }
  }
  if (failure) {
    Error error = *failure;
    failure.reset();
    return error;
  }
  return {};
}

std::string ThreadBlock::threadName(int warp, int lane) const {
  uint32_t thread = warp * 32 + lane;
  uint32_t x = launch.shape.block[0], y = launch.shape.block[1];
  return fmt::format("thread ({},{},{})", thread % x, thread / x % y, thread / x / y);
}

void ThreadBlock::fail(Warp &warp, const Inst &inst, int lane, std::string message) {
  warp.leave = true;
  if (failure)
    return;
  const Place &place = program.places[inst.source];
  std::string who = lane >= 0 ? threadName(warp.index, lane) : fmt::format("warp {}", warp.index);
  failure = inputError(fmt::format("{}: {}, {} of block {}", program.opcodes[inst.counter], message,
                                   who, triple(index)),
                       SourceRange{program.source, place.line, place.column, place.length});
}

} // namespace sparsec::sim
