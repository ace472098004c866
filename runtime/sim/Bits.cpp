// Logic, shifts and bit fields.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"

namespace sparsec::sim {

namespace {

template <class T>
void bitAnd(Warp &w, const Inst &in) {
  binary<T>(w, in, [](T a, T b) { return T(a & b); });
}
template <class T>
void bitOr(Warp &w, const Inst &in) {
  binary<T>(w, in, [](T a, T b) { return T(a | b); });
}
template <class T>
void bitXor(Warp &w, const Inst &in) {
  binary<T>(w, in, [](T a, T b) { return T(a ^ b); });
}
template <class T>
void bitNot(Warp &w, const Inst &in) {
  unary<T>(w, in, [](T a) { return T(~a); });
}
template <class T>
void isZero(Warp &w, const Inst &in) {
  unary<T>(w, in, [](T a) { return T(a == 0); });
}

uint32_t flipped(Warp &w, int32_t predicate, bool negated) {
  return w.preds[predicate] ^ (negated ? ~0u : 0);
}
void predicateAnd(Warp &w, const Inst &in) {
  putPredicate(w, in.dst, flipped(w, in.a, in.flags & 0x80) & flipped(w, in.b, in.flags & 0x40));
}
void predicateOr(Warp &w, const Inst &in) {
  putPredicate(w, in.dst, flipped(w, in.a, in.flags & 0x80) | flipped(w, in.b, in.flags & 0x40));
}
void predicateXor(Warp &w, const Inst &in) {
  putPredicate(w, in.dst, flipped(w, in.a, in.flags & 0x80) ^ flipped(w, in.b, in.flags & 0x40));
}
void predicateNot(Warp &w, const Inst &in) {
  putPredicate(w, in.dst, ~flipped(w, in.a, in.flags & 0x80));
}

/// Amounts are 32-bit and clamped to the width.
template <class T, class Op>
void shift(Warp &w, const Inst &in, Op op) {
  const LaneOf<T> *a = w.in<LaneOf<T>>(in.a);
  const uint32_t *b = w.in<uint32_t>(in.b);
  alignas(64) LaneOf<T> out[32];
  for (int i = 0; i < 32; ++i)
    out[i] = toLane<T>(op(fromLane<T>(a[i]), b[i]));
  put(w, in.dst, out);
}
template <class T>
void shiftLeft(Warp &w, const Inst &in) {
  constexpr uint32_t bits = sizeof(T) * 8;
  shift<T>(w, in, [](T a, uint32_t b) { return b < bits ? T(uint64_t(a) << (b & 63)) : T(0); });
}
template <class T>
void shiftRight(Warp &w, const Inst &in) {
  constexpr uint32_t bits = sizeof(T) * 8;
  shift<T>(w, in, [](T a, uint32_t b) {
    T all = std::is_signed_v<T> ? T(a >> (bits - 1)) : T(0);
    return b < bits ? T(a >> (b & (bits - 1))) : all;
  });
}

/// shf: the middle of b:a (b high) shifted by c. flags: 1 right, 2 wrap.
void funnelShift(Warp &w, const Inst &in) {
  bool right = in.flags & 1, wrap = in.flags & 2;
  ternary<uint32_t>(w, in, [=](uint32_t a, uint32_t b, uint32_t c) {
    uint32_t n = wrap ? c & 31 : c < 32 ? c : 32;
    uint64_t pair = uint64_t(b) << 32 | a;
    return right ? uint32_t(pair >> n) : uint32_t(pair << n >> 32);
  });
}

void logic3(Warp &w, const Inst &in) {
  uint32_t table = uint32_t(in.imm);
  const uint32_t *a = w.in<uint32_t>(in.a), *b = w.in<uint32_t>(in.b), *c = w.in<uint32_t>(in.c);
  alignas(64) uint32_t out[32] = {};
  // Bit k of the table is the result for (a, b, c) = the bits of k, a highest.
  for (int k = 0; k < 8; ++k)
    if (table >> k & 1)
      for (int i = 0; i < 32; ++i)
        out[i] |= (k & 4 ? a[i] : ~a[i]) & (k & 2 ? b[i] : ~b[i]) & (k & 1 ? c[i] : ~c[i]);
  put(w, in.dst, out);
}

uint32_t permuted(uint64_t pair, uint32_t selectors, bool generic) {
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    uint32_t selector = selectors >> i * 4 & 0xf;
    uint32_t byte = pair >> (selector & 7) * 8 & 0xff;
    if (generic && (selector & 8))
      byte = byte & 0x80 ? 0xff : 0; // the sign, replicated
    result |= byte << i * 8;
  }
  return result;
}
/// prmt: bytes of b:a. imm: -1 the selectors are c's nibbles, else a mode of c's two low bits.
void permute(Warp &w, const Inst &in) {
  static constexpr uint16_t modes[6][4] = {
      {0x3210, 0x4321, 0x5432, 0x6543}, // f4e
      {0x5670, 0x6701, 0x7012, 0x0123}, // b4e
      {0x0000, 0x1111, 0x2222, 0x3333}, // rc8
      {0x3210, 0x3211, 0x3222, 0x3333}, // ecl
      {0x0000, 0x1110, 0x2210, 0x3210}, // ecr
      {0x1010, 0x3232, 0x1010, 0x3232}, // rc16
  };
  int64_t mode = in.imm;
  ternary<uint32_t>(w, in, [=](uint32_t a, uint32_t b, uint32_t c) {
    uint64_t pair = uint64_t(b) << 32 | a;
    return mode < 0 ? permuted(pair, c, true) : permuted(pair, modes[mode][c & 3], false);
  });
}

template <class T>
void extract(Warp &w, const Inst &in) {
  const LaneOf<T> *a = w.in<LaneOf<T>>(in.a);
  const uint32_t *b = w.in<uint32_t>(in.b), *c = w.in<uint32_t>(in.c);
  constexpr uint32_t width = sizeof(T) * 8, top = width - 1;
  LaneOf<T> out[32];
  for (int i = 0; i < 32; ++i) {
    uint32_t pos = b[i] & 0xff, len = c[i] & 0xff;
    uint64_t value = a[i];
    bool sign = false;
    if (std::is_signed_v<T> && len)
      sign = value >> std::min(pos + len - 1, top) & 1;
    uint64_t field = pos > top ? 0 : value >> pos;
    uint32_t have = pos > top ? 0 : width - pos;
    uint32_t keep = std::min(len, have);
    uint64_t ones = keep >= 64 ? ~uint64_t(0) : (uint64_t(1) << keep) - 1;
    out[i] = LaneOf<T>((field & ones) | (sign ? ~ones : 0));
  }
  put(w, in.dst, out);
}

/// bfi: the low d bits of a into b at c. Operands: a, b, c and one extra, the length.
template <class T>
void insert(Warp &w, const Inst &in) {
  const T *a = w.in<T>(in.a), *b = w.in<T>(in.b);
  const uint32_t *c = w.in<uint32_t>(in.c), *d = w.in<uint32_t>(w.operands[in.extra]);
  constexpr uint32_t width = sizeof(T) * 8;
  T out[32];
  for (int i = 0; i < 32; ++i) {
    uint32_t pos = c[i] & 0xff, len = d[i] & 0xff;
    uint64_t ones = len >= 64 ? ~uint64_t(0) : (uint64_t(1) << len) - 1;
    uint64_t mask = pos >= width ? 0 : ones << pos;
    uint64_t field = pos >= width ? 0 : uint64_t(a[i]) << pos;
    out[i] = T((b[i] & ~mask) | (field & mask));
  }
  put(w, in.dst, out);
}

/// flags 1: .shiftamt.
template <class T>
void findBit(Warp &w, const Inst &in) {
  const LaneOf<T> *a = w.in<LaneOf<T>>(in.a);
  uint32_t out[32];
  for (int i = 0; i < 32; ++i) {
    T value = T(a[i]);
    if (std::is_signed_v<T> && value < 0)
      value = ~value;
    std::make_unsigned_t<T> bits = value;
    uint32_t at = bits ? sizeof(T) * 8 - 1 - std::countl_zero(bits) : ~0u;
    out[i] = (in.flags & 1) && bits ? uint32_t(sizeof(T) * 8 - 1 - at) : at;
  }
  put(w, in.dst, out);
}
template <class T>
void reverse(Warp &w, const Inst &in) {
  unary<T>(w, in, [](T a) {
    T result = 0;
    for (size_t i = 0; i < sizeof(T) * 8; ++i)
      result |= T(a >> i & 1) << (sizeof(T) * 8 - 1 - i);
    return result;
  });
}
template <class T>
void leadingZeros(Warp &w, const Inst &in) {
  unary<T, uint32_t>(w, in, [](T a) { return uint32_t(std::countl_zero(a)); });
}
template <class T>
void population(Warp &w, const Inst &in) {
  unary<T, uint32_t>(w, in, [](T a) { return uint32_t(std::popcount(a)); });
}
/// bmsk: b ones from bit a on. flags 1: wrap.
void bitMask(Warp &w, const Inst &in) {
  bool wrap = in.flags & 1;
  binary<uint32_t>(w, in, [=](uint32_t a, uint32_t b) {
    uint32_t from = wrap ? a & 31 : std::min(a, 32u), count = wrap ? b & 31 : std::min(b, 32u);
    uint64_t ones = ((uint64_t(1) << count) - 1) << from;
    return uint32_t(ones);
  });
}

#define SPARSEC_BY_SIZE(type, name)                                                                \
  (sizeOf(type) == 2   ? name<uint16_t>                                                            \
   : sizeOf(type) == 4 ? name<uint32_t>                                                            \
   : sizeOf(type) == 8 ? name<uint64_t>                                                            \
                       : Handler(nullptr))

void decodeLogic(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  Type type = d.takeType();
  bool one = opcode == "not" || opcode == "cnot";
  if (type == Type::Pred) {
    d.dstPredicate(d.operand(0));
    d.aPredicate(d.operand(1));
    if (!one)
      d.bPredicate(d.operand(2));
    d.run(opcode == "and"   ? predicateAnd
          : opcode == "or"  ? predicateOr
          : opcode == "xor" ? predicateXor
          : opcode == "not" ? predicateNot
                            : Handler(nullptr));
  } else {
    d.dst(0, type);
    d.a(1, type);
    if (!one)
      d.b(2, type);
    d.run(opcode == "and"   ? SPARSEC_BY_SIZE(type, bitAnd)
          : opcode == "or"  ? SPARSEC_BY_SIZE(type, bitOr)
          : opcode == "xor" ? SPARSEC_BY_SIZE(type, bitXor)
          : opcode == "not" ? SPARSEC_BY_SIZE(type, bitNot)
                            : SPARSEC_BY_SIZE(type, isZero));
  }
  d.finish(one ? 2 : 3);
}

void decodeShift(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  if (opcode == "shf") {
    int direction = d.takeOneOf({"l", "r"}), mode = d.takeOneOf({"clamp", "wrap"});
    d.expect(direction >= 0 && mode >= 0, "expected .l or .r and .clamp or .wrap");
    d.inst().flags = direction | mode << 1;
    Type type = d.takeType();
    d.expect(type == Type::B32, "expected .b32");
    d.dst(0, type), d.a(1, type), d.b(2, type), d.c(3, Type::U32);
    d.run(funnelShift);
    return d.finish(4);
  }
  Type type = d.takeType();
  d.dst(0, type), d.a(1, type), d.b(2, Type::U32);
  if (opcode == "shl")
    d.run(SPARSEC_BY_SIZE(type, shiftLeft));
  else if (isSigned(type))
    d.run(type == Type::S16   ? shiftRight<int16_t>
          : type == Type::S32 ? shiftRight<int32_t>
                              : shiftRight<int64_t>);
  else
    d.run(SPARSEC_BY_SIZE(type, shiftRight));
  d.finish(3);
}

void decodeField(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  bool shiftAmount = d.take("shiftamt");
  Type type = d.takeType();
  bool wide = sizeOf(type) == 8;
  d.expect(sizeOf(type) >= 4, "expected a 32- or 64-bit type");
  if (opcode == "bfe") {
    d.dst(0, type), d.a(1, type), d.b(2, Type::U32), d.c(3, Type::U32);
    d.run(isSigned(type) ? (wide ? extract<int64_t> : extract<int32_t>)
                         : (wide ? extract<uint64_t> : extract<uint32_t>));
    return d.finish(4);
  }
  if (opcode == "bfi") {
    d.dst(0, type), d.a(1, type), d.b(2, type), d.c(3, Type::U32);
    d.extra(d.use(d.operand(4), Type::U32));
    d.run(wide ? insert<uint64_t> : insert<uint32_t>);
    return d.finish(5);
  }
  d.inst().flags = shiftAmount;
  d.dst(0, Type::U32), d.a(1, type);
  d.run(isSigned(type) ? (wide ? findBit<int64_t> : findBit<int32_t>)
                       : (wide ? findBit<uint64_t> : findBit<uint32_t>));
  d.finish(2);
}

void decodePermute(InstructionDecoder &d) {
  Type type = d.takeType();
  d.expect(type == Type::B32, "expected .b32");
  d.inst().imm = d.takeOneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"});
  d.dst(0, type), d.a(1, type), d.b(2, type), d.c(3, type);
  d.run(permute);
  d.finish(4);
}

} // namespace

void decodeBits(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  if (opcode == "and" || opcode == "or" || opcode == "xor" || opcode == "not" || opcode == "cnot")
    return decodeLogic(d);
  if (opcode == "shl" || opcode == "shr" || opcode == "shf")
    return decodeShift(d);
  if (opcode == "bfe" || opcode == "bfi" || opcode == "bfind")
    return decodeField(d);
  if (opcode == "prmt")
    return decodePermute(d);
  if (opcode == "lop3") {
    Type type = d.takeType();
    d.dst(0, type), d.a(1, type), d.b(2, type), d.c(3, type);
    d.expect(type == Type::B32 && d.operand(4).kind == Operand::Kind::Integer,
             "expected .b32 and a constant table");
    d.inst().imm = d.operand(4).value;
    d.run(logic3);
    return d.finish(5);
  }
  if (opcode == "bmsk") {
    int mode = d.takeOneOf({"clamp", "wrap"});
    d.inst().flags = mode == 1;
    Type type = d.takeType();
    d.dst(0, type), d.a(1, type), d.b(2, type);
    d.run(bitMask);
    return d.finish(3);
  }
  Type type = d.takeType();
  bool wide = sizeOf(type) == 8;
  if (opcode == "brev") {
    d.dst(0, type), d.a(1, type);
    d.run(wide ? reverse<uint64_t> : reverse<uint32_t>);
    return d.finish(2);
  }
  if (opcode == "clz" || opcode == "popc") {
    d.dst(0, Type::U32), d.a(1, type);
    d.run(opcode == "clz" ? (wide ? leadingZeros<uint64_t> : leadingZeros<uint32_t>)
                          : (wide ? population<uint64_t> : population<uint32_t>));
    return d.finish(2);
  }
}

} // namespace sparsec::sim
