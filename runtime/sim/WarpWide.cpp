// Instructions in which the lanes of a warp exchange values: shfl, vote, match, redux, activemask,
// elect. None of them orders memory.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"
#include "runtime/sim/ProgramDecoder.h"

#include <fmt/core.h>

namespace sparsec::sim {

namespace {

/// The lanes that a .sync instruction names: all executing lanes must name the same, themselves
/// among them. False: refused, or not all are here yet. Then warp.mask is all of them.
bool gatherNamed(Warp &w, const Inst &in, int32_t maskColumn) {
  const uint32_t *named = w.in<uint32_t>(maskColumn);
  int first = std::countr_zero(w.mask);
  uint32_t wanted = named[first];
  for (uint32_t rest = w.mask; rest; rest &= rest - 1) {
    int lane = std::countr_zero(rest);
    if (named[lane] != wanted || !(wanted >> lane & 1)) {
      w.block->fail(w, in, lane,
                    fmt::format("the mask {:#010x} {}", named[lane],
                                named[lane] >> lane & 1 ? "is not that of the other lanes"
                                                        : "does not name the executing lane"));
      return false;
    }
  }
  return w.block->gather(w, in, wanted);
}

enum class Shuffle : uint8_t { Up, Down, Butterfly, Index };

/// d|p = a of the lane that b says, within segments: c = clamp | segment mask << 8.
void shuffle(Warp &w, const Inst &in) {
  if (!gatherNamed(w, in, w.operands[in.extra]))
    return;
  const uint32_t *a = w.in<uint32_t>(in.a), *b = w.in<uint32_t>(in.b), *c = w.in<uint32_t>(in.c);
  Shuffle mode = Shuffle(in.imm & 0xff);
  bool ignoreClamp = w.block->hasFault(SimFault::WrongShflClamp) && mode == Shuffle::Down;
  uint32_t out[32], inRange = 0;
  for (int lane = 0; lane < 32; ++lane) {
    int distance = b[lane] & 0x1f, clamp = c[lane] & 0x1f, segment = c[lane] >> 8 & 0x1f;
    // maxLane of the ISA: the clamp within the lane's segment (for .up: the least lane).
    int maxLane = (lane & segment) | (clamp & ~segment), minLane = lane & segment;
    int from = 0;
    bool valid = false;
    switch (mode) {
    case Shuffle::Up:
      from = lane - distance, valid = from >= maxLane;
      break;
    case Shuffle::Down:
      from = lane + distance, valid = from <= maxLane;
      break;
    case Shuffle::Butterfly:
      from = lane ^ distance, valid = from <= maxLane;
      break;
    case Shuffle::Index:
      from = minLane | (distance & ~segment), valid = from <= maxLane;
      break;
    }
    if (ignoreClamp)
      valid = from < 32;
    if (!valid)
      from = lane;
    inRange |= uint32_t(valid) << lane;
    if ((w.mask >> lane & 1) && !(w.mask >> (from & 31) & 1)) {
      if (w.block->checks())
        return w.block->fail(w, in, lane,
                             fmt::format("reads lane {}, which does not take part", from));
    }
    out[lane] = a[from & 31];
  }
  put(w, in.dst, out);
  if (int32_t predicate = int32_t(in.imm >> 16) - 1; predicate >= 0)
    putPredicate(w, predicate, inRange);
}

/// imm: 0 all, 1 any, 2 uni, 3 ballot.
void vote(Warp &w, const Inst &in) {
  if (!gatherNamed(w, in, w.operands[in.extra]))
    return;
  uint32_t yes = (w.preds[in.c] ^ (in.flags & 0x20 ? ~0u : 0)) & w.mask;
  if (in.imm == 3) {
    uint32_t out[32];
    std::fill_n(out, 32, yes);
    return put(w, in.dst, out);
  }
  bool result = in.imm == 0 ? yes == w.mask : in.imm == 1 ? yes != 0 : yes == w.mask || yes == 0;
  putPredicate(w, in.dst, result ? ~0u : 0);
}

/// imm bit 0: .all; the upper part: the predicate + 1.
template <class T>
void match(Warp &w, const Inst &in) {
  if (!gatherNamed(w, in, w.operands[in.extra]))
    return;
  const T *a = w.in<T>(in.a);
  uint32_t out[32], same[32];
  for (int i = 0; i < 32; ++i)
    same[i] = bitsWhere([&](int j) { return a[i] == a[j]; }) & w.mask;
  bool all = same[std::countr_zero(w.mask)] == w.mask;
  for (int i = 0; i < 32; ++i)
    out[i] = in.imm & 1 ? (all ? w.mask : 0) : same[i];
  put(w, in.dst, out);
  if (int32_t predicate = int32_t(in.imm >> 16) - 1; predicate >= 0)
    putPredicate(w, predicate, all ? ~0u : 0);
}

enum class Reduction : uint8_t { Add, Min, Max, And, Or, Xor };

void reduce(Warp &w, const Inst &in) {
  if (!gatherNamed(w, in, w.operands[in.extra]))
    return;
  const uint32_t *a = w.in<uint32_t>(in.a);
  bool isS = in.imm >> 8 & 1;
  uint32_t result = 0;
  bool first = true;
  forLanes(w.mask, [&](int lane) {
    uint32_t x = a[lane];
    bool less = isS ? int32_t(x) < int32_t(result) : x < result;
    switch (Reduction(in.imm & 0xff)) {
    case Reduction::Add:
      result += x;
      break;
    case Reduction::Min:
      result = first || less ? x : result;
      break;
    case Reduction::Max:
      result = first || (!less && x != result) ? x : result;
      break;
    case Reduction::And:
      result = first ? x : result & x;
      break;
    case Reduction::Or:
      result |= x;
      break;
    case Reduction::Xor:
      result ^= x;
      break;
    }
    first = false;
  });
  uint32_t out[32];
  std::fill_n(out, 32, result);
  put(w, in.dst, out);
}

void activeMask(Warp &w, const Inst &in) {
  uint32_t out[32];
  std::fill_n(out, 32, w.mask);
  put(w, in.dst, out);
}

/// The lowest lane of the mask.
void elect(Warp &w, const Inst &in) {
  if (!gatherNamed(w, in, w.operands[in.extra]))
    return;
  uint32_t leader = std::countr_zero(w.mask), out[32];
  std::fill_n(out, 32, leader);
  put(w, in.dst, out);
  if (int32_t predicate = int32_t(in.imm >> 16) - 1; predicate >= 0)
    putPredicate(w, predicate, 1u << leader);
}

/// d|p: p goes to bits 16 and up of imm.
void destinationWithPredicate(InstructionDecoder &d) {
  const Operand &to = d.operand(0);
  d.dst(0, Type::B32);
  if (!to.second.empty() && to.second[0].kind == Operand::Kind::Register) {
    d.expect(d.function.registers[to.second[0].index].type == Type::Pred, "expected a predicate");
    d.draft.defs.push_back(to.second[0].index);
    d.draft.secondPredicate = to.second[0].index;
  }
}

void decodeShuffle(InstructionDecoder &d) {
  int mode = d.takeOneOf({"up", "down", "bfly", "idx"});
  d.expect(mode >= 0, "expected .up, .down, .bfly or .idx");
  d.inst().imm = mode;
  Type type = d.takeType();
  d.expect(type == Type::B32, "expected .b32");
  destinationWithPredicate(d);
  d.a(1, type), d.b(2, Type::B32), d.c(3, Type::B32);
  d.extra(d.use(d.operand(4), Type::B32));
  d.run(shuffle);
  d.finish(5);
}

void decodeVote(InstructionDecoder &d) {
  d.inst().imm = d.takeOneOf({"all", "any", "uni", "ballot"});
  d.expect(d.inst().imm >= 0, "expected .all, .any, .uni or .ballot");
  Type type = d.takeType();
  if (d.inst().imm == 3) {
    d.expect(type == Type::B32, "expected .b32");
    d.dst(0, type);
  } else {
    d.expect(type == Type::Pred, "expected .pred");
    d.dstPredicate(d.operand(0));
  }
  d.cPredicate(d.operand(1));
  d.extra(d.use(d.operand(2), Type::B32));
  d.run(vote);
  d.finish(3);
}

} // namespace

void decodeWarp(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  if (opcode == "activemask") {
    d.takeType();
    d.dst(0, Type::B32);
    d.run(activeMask);
    return d.finish(1);
  }
  d.expect(d.take("sync"), "expected .sync: the older form is not supported");
  if (opcode == "shfl")
    return decodeShuffle(d);
  if (opcode == "vote")
    return decodeVote(d);
  if (opcode == "match") {
    int which = d.takeOneOf({"any", "all"});
    d.expect(which >= 0, "expected .any or .all");
    d.inst().imm = which;
    Type type = d.takeType();
    destinationWithPredicate(d);
    d.a(1, type);
    d.extra(d.use(d.operand(2), Type::B32));
    d.run(sizeOf(type) == 8 ? match<uint64_t> : match<uint32_t>);
    return d.finish(3);
  }
  if (opcode == "redux") {
    int which = d.takeOneOf({"add", "min", "max", "and", "or", "xor"});
    d.expect(which >= 0, "expected an operation");
    Type type = d.takeType();
    d.expect(sizeOf(type) == 4 && !isFloat(type), "expected .u32, .s32 or .b32");
    d.inst().imm = which | int64_t(type == Type::S32) << 8;
    d.dst(0, type), d.a(1, type);
    d.extra(d.use(d.operand(2), Type::B32));
    d.run(reduce);
    return d.finish(3);
  }
  destinationWithPredicate(d);
  d.extra(d.use(d.operand(1), Type::B32));
  d.run(elect);
  d.finish(2);
}

} // namespace sparsec::sim
