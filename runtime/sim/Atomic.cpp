// atom and red: read, combine, write, lane after lane.
#include "runtime/sim/Access.h"
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"
#include "runtime/sim/Numerics.h"

namespace sparsec::sim {

namespace {

enum class AtomicOp : uint8_t { Add, Min, Max, Inc, Dec, And, Or, Xor, Exchange, CompareAndSwap };

template <class T>
T addFloats(T a, T b) {
  return a + b;
}

/// Two 16-bit floats, each added with its own rounding.
template <float (*Load)(uint16_t), uint16_t (*Store)(float)>
uint32_t addPairs(uint32_t a, uint32_t b) {
  return uint32_t(Store(Load(a >> 16) + Load(b >> 16))) << 16 | Store(Load(a) + Load(b));
}

template <class T>
T combined(AtomicOp op, Type type, T old, T b, T c) {
  using S = std::make_signed_t<T>;
  bool isS = isSigned(type);
  switch (op) {
  case AtomicOp::Add:
    if (type == Type::F16x2)
      return T(addPairs<fromHalf, toHalf>(old, b));
    if (type == Type::BF16x2)
      return T(addPairs<fromBf16, toBf16>(old, b));
    if (type == Type::F16)
      return T(toHalf(fromHalf(old) + fromHalf(b)));
    if (type == Type::BF16)
      return T(toBf16(fromBf16(old) + fromBf16(b)));
    if constexpr (sizeof(T) == 4)
      if (type == Type::F32)
        return floatToBits(canonical(addFloats(bitsToFloat(old), bitsToFloat(b))));
    if constexpr (sizeof(T) == 8)
      if (type == Type::F64)
        return toLane<double>(addFloats(fromLane<double>(old), fromLane<double>(b)));
    return T(old + b);
  case AtomicOp::Min:
    return isS ? (S(b) < S(old) ? b : old) : (b < old ? b : old);
  case AtomicOp::Max:
    return isS ? (S(b) > S(old) ? b : old) : (b > old ? b : old);
  case AtomicOp::Inc:
    return old >= b ? 0 : T(old + 1);
  case AtomicOp::Dec:
    return old == 0 || old > b ? b : T(old - 1);
  case AtomicOp::And:
    return old & b;
  case AtomicOp::Or:
    return old | b;
  case AtomicOp::Xor:
    return old ^ b;
  case AtomicOp::Exchange:
    return b;
  case AtomicOp::CompareAndSwap:
    return old == b ? c : old;
  }
  return old;
}

// Inst::flags: 1 the address has 32 bits, 2 acquires, 4 releases, 8 has a destination.
// Inst::imm is the address offset; Inst::count extra operands: op, type and space are in extra.
template <class T>
void atomic(Warp &w, const Inst &in) {
  const int32_t *meta = w.operands + in.extra;
  AtomicOp op = AtomicOp(meta[0]);
  Type type = Type(meta[1]);
  Access access;
  access.space = Space(meta[2]);
  access.bytes = sizeof(T);
  access.reads = access.writes = access.strong = true;
  access.acquires = in.flags & 2;
  access.releases = in.flags & 4;
  computeAddresses(w, in);
  if (!resolve(w, in, access))
    return;
  const LaneOf<T> *b = w.in<LaneOf<T>>(in.b), *c = w.in<LaneOf<T>>(in.c);
  LaneOf<T> out[32] = {};
  forLanes(w.mask, [&](int lane) {
    T old;
    std::memcpy(&old, w.host[lane], sizeof(T));
    T now = combined<T>(op, type, old, T(b[lane]), T(c[lane]));
    std::memcpy(w.host[lane], &now, sizeof(T));
    out[lane] = old;
  });
  if (in.flags & 8)
    put(w, in.dst, out);
}

} // namespace

void decodeAtomic(InstructionDecoder &d) {
  bool returns = d.opcode() == "atom";
  int order = d.takeOneOf({"relaxed", "acquire", "release", "acq_rel"});
  d.takeOneOf({"cta", "cluster", "gpu", "sys"});
  constexpr Space spaces[] = {Space::Global, Space::Shared, Space::Shared};
  int found = d.takeOneOf({"global", "shared", "shared::cta"});
  Space space = found < 0 ? Space::Generic : spaces[found];
  int op = d.takeOneOf({"add", "min", "max", "inc", "dec", "and", "or", "xor", "exch", "cas"});
  d.take("noftz");
  Type type = d.takeType();
  d.expect(op >= 0, "expected an operation");
  d.expect(!isFloat(type) || op == 0, "expected .add for floating-point types");
  if (d.address(d.operand(returns ? 1 : 0), space))
    d.inst().flags |= 1;
  d.inst().flags |= (order == 1 || order == 3 ? 2 : 0) | (order == 2 || order == 3 ? 4 : 0);
  int first = returns ? 2 : 1;
  if (returns) {
    d.dst(0, type);
    d.inst().flags |= 8;
  }
  d.b(first, type);
  bool swaps = AtomicOp(op) == AtomicOp::CompareAndSwap;
  if (swaps)
    d.c(first + 1, type);
  else
    d.inst().c = d.constant(0, 8);
  d.meta({op, int32_t(type), int32_t(space)});
  d.run(sizeOf(type) == 2   ? atomic<uint16_t>
        : sizeOf(type) == 4 ? atomic<uint32_t>
        : sizeOf(type) == 8 ? atomic<uint64_t>
                            : Handler(nullptr));
  d.finish(first + 1 + swaps);
}

} // namespace sparsec::sim
