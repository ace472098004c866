// cvt: between integers, floats and packed 16-bit floats.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"
#include "runtime/sim/Numerics.h"
#include "runtime/sim/ProgramDecoder.h"

namespace sparsec::sim {

namespace {

/// What a conversion does, packed into Inst::imm.
struct Conversion {
  Type to = Type::None, from = Type::None;
  Rounding rounding = Rounding::Nearest;
  bool toInteger = false; ///< .rni, .rzi, ...
  bool flush = false, saturate = false, relu = false, finite = false;

  int64_t packed() const {
    return int64_t(to) | int64_t(from) << 8 | int64_t(rounding) << 16 | int64_t(toInteger) << 24 |
           int64_t(flush) << 25 | int64_t(saturate) << 26 | int64_t(relu) << 27 |
           int64_t(finite) << 28;
  }
  static Conversion of(int64_t bits) {
    return {Type(bits & 0xff),    Type(bits >> 8 & 0xff), Rounding(bits >> 16 & 0xff),
            bool(bits >> 24 & 1), bool(bits >> 25 & 1),   bool(bits >> 26 & 1),
            bool(bits >> 27 & 1), bool(bits >> 28 & 1)};
  }
};

template <class F>
F toWhole(F value, Rounding rounding) {
  switch (rounding) {
  case Rounding::Nearest:
    return std::nearbyint(value);
  case Rounding::NearestAway:
    return std::round(value);
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Up:
    return std::ceil(value);
  case Rounding::Down:
    return std::floor(value);
  }
  return value;
}

/// A floating-point source as a double: exact for every format.
double floatSource(uint64_t bits, const Conversion &c) {
  switch (c.from) {
  case Type::F16:
    return fromHalf(bits);
  case Type::BF16:
    return fromBf16(bits);
  case Type::F64:
    return __builtin_bit_cast(double, bits);
  default:
    return c.flush ? flushed(bitsToFloat(bits)) : bitsToFloat(bits);
  }
}

/// An integer source, sign- or zero-extended.
__int128 integerSource(uint64_t bits, Type type) {
  int shift = 64 - sizeOf(type) * 8;
  if (isSigned(type))
    return int64_t(bits << shift) >> shift;
  return bits << shift >> shift;
}

uint64_t toInteger(double value, const Conversion &c) {
  int bits = sizeOf(c.to) * 8;
  if (value != value)
    return c.from == Type::F64 || bits == 64 ? uint64_t(1) << (bits - 1) : 0;
  double whole = toWhole(value, c.rounding);
  double low = isSigned(c.to) ? -std::ldexp(1.0, bits - 1) : 0;
  double end = std::ldexp(1.0, isSigned(c.to) ? bits - 1 : bits);
  if (whole < low)
    return uint64_t(int64_t(low));
  if (whole >= end)
    return isSigned(c.to) ? (uint64_t(1) << (bits - 1)) - 1
                          : (bits == 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1);
  return isSigned(c.to) ? uint64_t(int64_t(whole)) : uint64_t(whole);
}

uint64_t saturatedInteger(__int128 value, Type type) {
  int bits = sizeOf(type) * 8;
  __int128 low = isSigned(type) ? -(__int128(1) << (bits - 1)) : 0;
  __int128 high = (__int128(1) << (isSigned(type) ? bits - 1 : bits)) - 1;
  return uint64_t(value < low ? low : value > high ? high : value);
}

uint64_t floatResult(double value, const Conversion &c) {
  if (c.relu && std::signbit(value) && value == value)
    value = 0; // -0 too
  if (c.saturate)
    value = value > 0 ? std::min(value, 1.0) : 0.0;
  if (c.finite && value == value) {
    Format format = c.to == Type::F16 ? halfFormat : c.to == Type::BF16 ? bfloatFormat : tf32Format;
    double largest = std::ldexp(2 - std::ldexp(1.0, -format.fraction), format.maxExponent);
    double rounded = roundTo(value, format, c.rounding);
    if (std::fabs(rounded) > largest)
      value = std::copysign(largest, value);
  }
  switch (c.to) {
  case Type::F16:
    return toHalf(value, c.rounding);
  case Type::BF16:
    return toBf16(value, c.rounding);
  case Type::TF32:
    return value != value ? canonicalNan
                          : floatToBits(float(roundTo(value, tf32Format, c.rounding)));
  case Type::F64:
    return __builtin_bit_cast(uint64_t, value);
  default: {
    if (value != value && c.from == Type::F64) // the hardware keeps the payload's upper bits here
      return floatToBits(float(value));
    float result = toSingle(value, c.rounding);
    return floatToBits(c.flush ? flushed(result) : result);
  }
  }
}

uint64_t converted(uint64_t bits, const Conversion &c) {
  if (isFloat(c.from)) {
    double value = floatSource(bits, c);
    if (!isFloat(c.to))
      return toInteger(value, c);
    if (c.toInteger)
      value = value == 0 ? value : std::copysign(toWhole(value, c.rounding), value);
    return floatResult(value, c);
  }
  __int128 value = integerSource(bits, c.from);
  if (!isFloat(c.to))
    return c.saturate ? saturatedInteger(value, c.to) : uint64_t(value);
  // A 64-bit integer is exact in the host's long double; one rounding to the format.
  long double wide = value < 0 ? -static_cast<long double>(uint64_t(-value))
                               : static_cast<long double>(uint64_t(value));
  Format format = c.to == Type::F16    ? halfFormat
                  : c.to == Type::BF16 ? bfloatFormat
                  : c.to == Type::F64  ? Format{52, -1022, 1023}
                                       : singleFormat;
  return floatResult(double(roundTo(wide, format, c.rounding)), c);
}

/// Any conversion, lane by lane.
void convert(Warp &w, const Inst &in) {
  Conversion c = Conversion::of(in.imm);
  bool wideFrom = in.flags & 1, wideTo = in.flags & 2;
  int toBits = sizeOf(c.to) * 8;
  uint64_t out[32];
  for (int i = 0; i < 32; ++i) {
    if (!(w.mask >> i & 1))
      continue;
    uint64_t bits = wideFrom ? w.in<uint64_t>(in.a)[i] : w.in<uint32_t>(in.a)[i];
    out[i] = converted(bits, c);
    // A narrower result is extended to its register.
    if (!isFloat(c.to) && toBits < 64) {
      int shift = 64 - toBits;
      out[i] =
          isSigned(c.to) ? uint64_t(int64_t(out[i] << shift) >> shift) : out[i] << shift >> shift;
    }
    if (in.flags & 4)
      out[i] &= 0xffff;
  }
  if (wideTo)
    return put(w, in.dst, out);
  uint32_t narrow[32];
  for (int i = 0; i < 32; ++i)
    narrow[i] = uint32_t(out[i]);
  put(w, in.dst, narrow);
}

/// {a, b} -> a in the high half, b in the low half.
void convertPair(Warp &w, const Inst &in) {
  Conversion c = Conversion::of(in.imm);
  c.from = Type::F32;
  c.to = c.to == Type::F16x2 ? Type::F16 : Type::BF16;
  binary<uint32_t>(w, in, [&](uint32_t a, uint32_t b) {
    return uint32_t(converted(a, c)) << 16 | uint32_t(converted(b, c));
  });
}

// The frequent ones, as vector code.
void pairToHalf(Warp &w, const Inst &in) {
  binary<uint32_t>(w, in, [](uint32_t a, uint32_t b) {
    return uint32_t(toHalf(bitsToFloat(a))) << 16 | toHalf(bitsToFloat(b));
  });
}
void pairToBf16(Warp &w, const Inst &in) {
  binary<uint32_t>(w, in, [](uint32_t a, uint32_t b) {
    return uint32_t(toBf16(bitsToFloat(a))) << 16 | toBf16(bitsToFloat(b));
  });
}
void pairToBf16Truncated(Warp &w, const Inst &in) {
  binary<uint32_t>(w, in, [](uint32_t a, uint32_t b) { return (a & 0xffff0000) | b >> 16; });
}
void singleToHalf(Warp &w, const Inst &in) {
  unary<uint32_t>(w, in, [](uint32_t a) { return uint32_t(toHalf(bitsToFloat(a))); });
}
void singleToBf16(Warp &w, const Inst &in) {
  unary<uint32_t>(w, in, [](uint32_t a) { return uint32_t(toBf16(bitsToFloat(a))); });
}
void halfToSingle(Warp &w, const Inst &in) {
  unary<uint32_t>(w, in, [](uint32_t a) {
    float value = fromHalf(uint16_t(a));
    return floatToBits(canonical(value));
  });
}
void bf16ToSingle(Warp &w, const Inst &in) {
  unary<uint32_t>(w, in, [](uint32_t a) { return floatToBits(canonical(fromBf16(uint16_t(a)))); });
}
void signedToSingle(Warp &w, const Inst &in) {
  unary<uint32_t>(w, in, [](uint32_t a) { return floatToBits(float(int32_t(a))); });
}
void unsignedToSingle(Warp &w, const Inst &in) {
  unary<uint32_t>(w, in, [](uint32_t a) { return floatToBits(float(double(a))); });
}
template <class From, class To>
void extend(Warp &w, const Inst &in) {
  unary<From, To>(w, in, [](From a) { return To(a); });
}

Handler frequent(const Conversion &c, SimFault fault) {
  bool plain = !c.flush && !c.saturate && !c.relu && !c.finite && !c.toInteger &&
               c.rounding == Rounding::Nearest;
  if (!plain)
    return nullptr;
  auto is = [&](Type to, Type from) { return c.to == to && c.from == from; };
  if (is(Type::F16x2, Type::F32))
    return pairToHalf;
  if (is(Type::BF16x2, Type::F32))
    return fault == SimFault::WrongRounding ? pairToBf16Truncated : pairToBf16;
  if (is(Type::F16, Type::F32))
    return singleToHalf;
  if (is(Type::BF16, Type::F32))
    return singleToBf16;
  if (is(Type::F32, Type::F16))
    return halfToSingle;
  if (is(Type::F32, Type::BF16))
    return bf16ToSingle;
  if (is(Type::F32, Type::S32))
    return signedToSingle;
  if (is(Type::F32, Type::U32))
    return unsignedToSingle;
  bool to64 = c.to == Type::U64 || c.to == Type::S64;
  if (to64 && c.from == Type::U32)
    return extend<uint32_t, uint64_t>;
  if (to64 && c.from == Type::S32)
    return extend<int32_t, int64_t>;
  return nullptr;
}

} // namespace

void decodeConvert(InstructionDecoder &d) {
  Conversion c;
  constexpr Rounding roundings[] = {Rounding::Nearest, Rounding::Zero, Rounding::Down, Rounding::Up,
                                    Rounding::NearestAway};
  if (int whole = d.takeOneOf({"rni", "rzi", "rmi", "rpi"}); whole >= 0) {
    c.rounding = roundings[whole];
    c.toInteger = true;
  } else if (int found = d.takeOneOf({"rn", "rz", "rm", "rp", "rna"}); found >= 0) {
    c.rounding = roundings[found];
  }
  c.relu = d.take("relu");
  c.finite = d.take("satfinite");
  c.flush = d.take("ftz");
  c.saturate = d.take("sat");
  c.to = d.takeType();
  c.from = d.takeType();
  d.inst().imm = c.packed();
  if (c.to == Type::F16x2 || c.to == Type::BF16x2) {
    d.expect(c.from == Type::F32, "expected two .f32 to pack");
    d.dst(0, c.to), d.a(1, c.from), d.b(2, c.from);
    Handler fast = frequent(c, d.program.fault());
    d.run(fast ? fast : convertPair);
    return d.finish(3);
  }
  d.expect(sizeOf(c.to) > 0 && sizeOf(c.to) <= 8 && sizeOf(c.from) > 0 && sizeOf(c.from) <= 8,
           "expected types of 8 to 64 bits");
  using Width = InstructionDecoder::Width;
  d.dst(0, c.to, isFloat(c.to) ? Width::Exact : Width::Wider);
  d.a(1, c.from, isFloat(c.from) ? Width::Exact : Width::Wider);
  int to = d.widthOf(d.operand(0), c.to), from = d.widthOf(d.operand(1), c.from);
  d.inst().flags = (from == 8 ? 1 : 0) | (to == 8 ? 2 : 0) | (to == 2 ? 4 : 0);
  Handler fast =
      to == sizeOf(c.to) && from == sizeOf(c.from) ? frequent(c, d.program.fault()) : nullptr;
  d.run(fast ? fast : convert);
  d.finish(2);
}

} // namespace sparsec::sim
