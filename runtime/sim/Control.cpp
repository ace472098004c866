// Branches, calls, exits.
#include "runtime/sim/Control.h"
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"
#include "runtime/sim/ProgramDecoder.h"

#include <fmt/core.h>

namespace sparsec::sim {

void runJoin(Warp &w, const Inst &in) {
  w.block->join(w, w.pc - 1);
}

void runExit(Warp &w, const Inst &in) {
  w.block->exitLanes(w, w.mask);
}

namespace {

/// A thread that recurses deeper than this is endless.
constexpr size_t deepestCall = 4096;

/// Copies the activation's part of the warp into the call, or back for the lanes of `mask`.
void keepActivation(Warp &w, const Activation &own, Call &call) {
  const ThreadBlock &block = *w.block;
  call.columns.assign(w.regs + own.columnFirst, w.regs + own.columnEnd);
  call.predicates.assign(w.preds + own.predicateFirst, w.preds + own.predicateEnd);
  call.initialised.assign(w.init + own.trackedFirst, w.init + own.trackedEnd);
  size_t size = block.program.localBytes;
  for (auto [first, end] : own.locals)
    for (int lane = 0; lane < 32; ++lane) {
      const uint8_t *frame = block.local.data() + size * (w.index * 32 + lane);
      call.frames.insert(call.frames.end(), frame + first, frame + end);
    }
}

void restoreActivation(Warp &w, const Activation &own, const Call &call) {
  ThreadBlock &block = *w.block;
  uint32_t mask = w.mask;
  // Lanes are 4 bytes apart in narrow columns and 8 in wide ones, which start at any multiple of
  // 128 bytes; which are which is known to the plan.
  for (uint32_t at = own.columnFirst; at < own.columnEnd;) {
    uint32_t lane = block.program.wideColumns[at / 128] ? 8 : 4;
    forLanes(mask, [&](int i) {
      std::memcpy(w.regs + at + i * lane, call.columns.data() + (at - own.columnFirst) + i * lane,
                  lane);
    });
    at += lane * 32;
  }
  for (uint32_t p = own.predicateFirst; p < own.predicateEnd; ++p)
    w.preds[p] = (w.preds[p] & ~mask) | (call.predicates[p - own.predicateFirst] & mask);
  for (uint32_t t = own.trackedFirst; t < own.trackedEnd; ++t)
    w.init[t] = (w.init[t] & ~mask) | (call.initialised[t - own.trackedFirst] & mask);
  const uint8_t *from = call.frames.data();
  size_t size = block.program.localBytes;
  for (auto [first, end] : own.locals)
    for (int lane = 0; lane < 32; ++lane, from += end - first)
      if (mask >> lane & 1)
        std::memcpy(block.local.data() + size * (w.index * 32 + lane) + first, from, end - first);
}

} // namespace

void runCall(Warp &w, const Inst &in) {
  std::vector<Call> &calls = w.splits[w.current].calls;
  if (calls.size() >= deepestCall)
    return w.block->fail(w, in, std::countr_zero(w.mask),
                         fmt::format("calls nested more than {} deep", deepestCall));
  Call &call = calls.emplace_back();
  call.returnTo = w.pc;
  call.function = int(in.imm);
  if (call.function >= 0)
    keepActivation(w, w.block->program.recursive[call.function], call);
  w.pc = in.extra;
}

void runReturn(Warp &w, const Inst &in) {
  std::vector<Call> &calls = w.splits[w.current].calls;
  Call &call = calls.back();
  w.pc = call.returnTo;
  if (call.function >= 0)
    restoreActivation(w, w.block->program.recursive[call.function], call);
  calls.pop_back();
}

void runTracked(Warp &w, const Inst &in) {
  const Tracking &tracking = w.block->program.tracking[in.tracking];
  bool checks = w.block->checks();
  auto firstUnset = [&](const std::vector<int> &regs, const std::vector<std::string> &names) {
    for (size_t i = 0; i < regs.size(); ++i)
      if (uint32_t unset = w.mask & ~w.init[regs[i]]) {
        w.block->fail(w, in, std::countr_zero(unset),
                      fmt::format("register {} has not been set", names[i]));
        return true;
      }
    return false;
  };
  if (checks && firstUnset(tracking.guard, tracking.guardNames))
    return;
  if (tracking.guardColumn >= 0 && !tracking.guard.empty()) {
    w.mask &= w.preds[tracking.guardColumn] ^ tracking.guardFlip;
    if (!w.mask)
      return;
  }
  if (tracking.copies) {
    uint32_t set = w.mask;
    for (int reg : tracking.reads)
      set &= w.init[reg];
    for (int reg : tracking.writes)
      w.init[reg] = (w.init[reg] & ~w.mask) | set;
  } else {
    if (checks && firstUnset(tracking.reads, tracking.names))
      return;
    for (int reg : tracking.writes)
      w.init[reg] |= w.mask;
  }
  tracking.run(w, in);
}

namespace {

void runBranch(Warp &w, const Inst &in) {
  if (w.mask == w.active)
    w.pc = in.extra;
  else
    w.block->diverge(w, in, w.mask, in.extra, w.pc);
}

/// brx.idx: one target at a time; what remains diverges again.
void runBranchIndexed(Warp &w, const Inst &in) {
  const std::vector<uint32_t> &table = w.block->program.branchTables[in.extra];
  const uint32_t *index = w.in<uint32_t>(in.a);
  int first = std::countr_zero(w.mask);
  if (index[first] >= table.size())
    return w.block->fail(w, in, first,
                         fmt::format("index {} of {} targets", index[first], table.size()));
  uint32_t same = bitsWhere([&](int i) { return index[i] == index[first]; }) & w.mask;
  if (same == w.active)
    w.pc = table[index[first]];
  else
    w.block->diverge(w, in, same, table[index[first]], w.pc - 1);
}

void runTrap(Warp &w, const Inst &in) {
  w.block->fail(w, in, std::countr_zero(w.mask), "executed");
}

void runNothing(Warp &w, const Inst &in) {}

void decodeCall(InstructionDecoder &d) {
  d.take("uni");
  d.expect(d.inst().guard < 0, "sim does not know guarded calls");
  for (const Operand &operand : d.text.operands)
    if (operand.kind == Operand::Kind::Function)
      if (const Function *callee = d.program.modul().find(operand.name))
        d.draft.callee = d.program.indexOf(*callee);
  d.expect(d.draft.callee >= 0, "expected the name of a function");
  d.run(runCall);
  d.finish(d.operands());
}

} // namespace

void decodeControl(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  if (opcode == "call")
    return decodeCall(d);
  if (opcode == "bra") {
    d.take("uni");
    d.expect(d.operand(0).kind == Operand::Kind::Label, "expected a label");
    d.draft.target = d.operand(0).index;
    d.draft.branches = d.draft.ends = true;
    d.run(runBranch);
    return d.finish(1);
  }
  if (opcode == "brx") {
    d.take("uni");
    d.expect(d.take("idx"), "expected .idx");
    d.a(0, Type::U32);
    d.expect(d.operand(1).kind == Operand::Kind::Label, "expected the label of .branchtargets");
    d.draft.table = d.operand(1).index;
    d.draft.branches = d.draft.ends = true;
    d.run(runBranchIndexed);
    return d.finish(2);
  }
  if (opcode == "ret" || opcode == "exit") {
    d.take("uni");
    if (opcode == "ret" && !d.function.isEntry) {
      // Lanes that return at different places meet at the end of the function.
      d.draft.target = d.function.instructions.size();
      d.draft.branches = true;
      d.run(runBranch);
    } else {
      d.run(runExit);
    }
    d.draft.ends = true;
    return d.finish(0);
  }
  if (opcode == "trap" || opcode == "brkpt") {
    d.run(runTrap);
    return d.finish(0);
  }
  if (opcode == "nanosleep") {
    d.a(0, d.takeType());
    d.run(runNothing);
    return d.finish(1);
  }
  if (opcode == "nop") {
    d.run(runNothing);
    return d.finish(0);
  }
}

} // namespace sparsec::sim
