// Integer arithmetic: add, sub, mul, mad, div, rem, min, max, abs, neg, sad, dp4a, dp2a, and the
// forms with a carry.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"

namespace sparsec::sim {

namespace {

template <class T>
using U = std::make_unsigned_t<T>;
template <class T>
struct WiderOf;
template <>
struct WiderOf<uint16_t> {
  using Type = uint32_t;
};
template <>
struct WiderOf<int16_t> {
  using Type = int32_t;
};
template <>
struct WiderOf<uint32_t> {
  using Type = uint64_t;
};
template <>
struct WiderOf<int32_t> {
  using Type = int64_t;
};
template <>
struct WiderOf<uint64_t> {
  using Type = unsigned __int128;
};
template <>
struct WiderOf<int64_t> {
  using Type = __int128;
};
template <class T>
using Wider = typename WiderOf<T>::Type;

// As functions of values, so that tests of one form test the others' arithmetic as well.
template <class T>
T addOf(T a, T b) {
  return T(U<T>(a) + U<T>(b));
}
template <class T>
T subOf(T a, T b) {
  return T(U<T>(a) - U<T>(b));
}
template <class T>
T lowOf(T a, T b) {
  // 16-bit operands would be promoted to int and overflow.
  return T(uint64_t(a) * uint64_t(b));
}
template <class T>
T highOf(T a, T b) {
  return T((Wider<T>(a) * Wider<T>(b)) >> (sizeof(T) * 8));
}
int32_t saturated(int64_t value) {
  return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : int32_t(value);
}
/// By zero: all ones, as the hardware gives (PTX leaves it open).
template <class T>
T quotientOf(T a, T b) {
  if (b == 0)
    return T(~U<T>(0));
  if (std::is_signed_v<T> && b == T(-1))
    return T(U<T>(0) - U<T>(a));
  return T(a / b);
}
template <class T>
T remainderOf(T a, T b) {
  if (b == 0)
    return T(~U<T>(0));
  if (std::is_signed_v<T> && b == T(-1))
    return 0;
  return T(a % b);
}
/// The low 24 bits of a lane, sign-extended for signed types.
template <class T>
int64_t low24(T a) {
  // Both wide: of int32_t and uint32_t the common type has no sign.
  return std::is_signed_v<T> ? int64_t(int32_t(uint32_t(a) << 8) >> 8)
                             : int64_t(uint32_t(a) & 0xffffff);
}

#define SPARSEC_BINARY(name, expression)                                                           \
  template <class T>                                                                               \
  void name(Warp &w, const Inst &in) {                                                             \
    binary<T>(w, in, [](T a, T b) -> T { return expression; });                                    \
  }
#define SPARSEC_TERNARY(name, expression)                                                          \
  template <class T>                                                                               \
  void name(Warp &w, const Inst &in) {                                                             \
    ternary<T>(w, in, [](T a, T b, T c) -> T { return expression; });                              \
  }
SPARSEC_BINARY(add, addOf(a, b))
SPARSEC_BINARY(sub, subOf(a, b))
SPARSEC_BINARY(mulLow, lowOf(a, b))
SPARSEC_BINARY(mulHigh, highOf(a, b))
SPARSEC_BINARY(divide, quotientOf(a, b))
SPARSEC_BINARY(remainder, remainderOf(a, b))
SPARSEC_BINARY(minimum, a < b ? a : b)
SPARSEC_BINARY(maximum, a > b ? a : b)
SPARSEC_TERNARY(madLow, addOf(lowOf(a, b), c))
SPARSEC_TERNARY(madHigh, addOf(highOf(a, b), c))
SPARSEC_TERNARY(sad, addOf(a < b ? subOf(b, a) : subOf(a, b), c))

template <class T>
void mulWide(Warp &w, const Inst &in) {
  using R = Wider<T>;
  binary<T, R>(w, in, [](T a, T b) -> R { return R(a) * R(b); });
}
template <class T>
void madWide(Warp &w, const Inst &in) {
  using R = Wider<T>;
  ternary<T, R>(w, in, [](T a, T b, R c) -> R { return addOf<R>(R(a) * R(b), c); });
}
template <class T>
void absolute(Warp &w, const Inst &in) {
  unary<T>(w, in, [](T a) -> T { return a < 0 ? subOf<T>(0, a) : a; });
}
template <class T>
void negate(Warp &w, const Inst &in) {
  unary<T>(w, in, [](T a) -> T { return subOf<T>(0, a); });
}
void addSat(Warp &w, const Inst &in) {
  binary<int32_t>(w, in, [](int32_t a, int32_t b) { return saturated(int64_t(a) + b); });
}
void subSat(Warp &w, const Inst &in) {
  binary<int32_t>(w, in, [](int32_t a, int32_t b) { return saturated(int64_t(a) - b); });
}
void madHighSat(Warp &w, const Inst &in) {
  ternary<int32_t>(
      w, in, [](int32_t a, int32_t b, int32_t c) { return saturated(int64_t(highOf(a, b)) + c); });
}
template <class T, bool High, bool Add>
void mul24(Warp &w, const Inst &in) {
  // hi: bits 47..16 of the 48-bit product.
  auto product = [](T a, T b) { return T(low24(a) * low24(b) >> (High ? 16 : 0)); };
  if constexpr (Add)
    ternary<T>(w, in, [=](T a, T b, T c) { return addOf<T>(product(a, b), c); });
  else
    binary<T>(w, in, product);
}

/// d = a + b (+ carry) or a - b (- borrow); sets the carry when asked to. On subtraction CC.CF
/// is the borrow.
template <class T, bool Subtract>
void addCarry(Warp &w, const Inst &in) {
  const T *a = w.in<T>(in.a), *b = w.in<T>(in.b);
  T out[32];
  uint32_t carried = 0;
  for (int i = 0; i < 32; ++i) {
    unsigned __int128 x = a[i], y = b[i], extra = (in.flags & 1) ? w.carry >> i & 1 : 0;
    unsigned __int128 sum = Subtract ? x - y - extra : x + y + extra;
    out[i] = T(sum);
    carried |= uint32_t(sum >> (sizeof(T) * 8) & 1) << i;
  }
  put(w, in.dst, out);
  if (in.flags & 2)
    w.carry = (w.carry & ~w.mask) | (carried & w.mask);
}
template <class T, bool High>
void madCarry(Warp &w, const Inst &in) {
  const LaneOf<T> *a = w.in<LaneOf<T>>(in.a), *b = w.in<LaneOf<T>>(in.b),
                  *c = w.in<LaneOf<T>>(in.c);
  LaneOf<T> out[32];
  uint32_t carried = 0;
  for (int i = 0; i < 32; ++i) {
    T product = High ? highOf(T(a[i]), T(b[i])) : lowOf(T(a[i]), T(b[i]));
    unsigned __int128 sum = (unsigned __int128)(LaneOf<T>(product)) + c[i];
    sum += (in.flags & 1) ? w.carry >> i & 1 : 0;
    out[i] = LaneOf<T>(sum);
    carried |= uint32_t(sum >> (sizeof(T) * 8) & 1) << i;
  }
  put(w, in.dst, out);
  if (in.flags & 2)
    w.carry = (w.carry & ~w.mask) | (carried & w.mask);
}

template <class A, class B>
void dp4a(Warp &w, const Inst &in) {
  ternary<uint32_t>(w, in, [](uint32_t a, uint32_t b, uint32_t c) {
    for (int i = 0; i < 4; ++i)
      c += uint32_t(int32_t(A(a >> i * 8)) * int32_t(B(b >> i * 8)));
    return c;
  });
}
template <class A, class B, bool High>
void dp2a(Warp &w, const Inst &in) {
  ternary<uint32_t>(w, in, [](uint32_t a, uint32_t b, uint32_t c) {
    for (int i = 0; i < 2; ++i)
      c += uint32_t(int32_t(A(a >> i * 16)) * int32_t(B(b >> (i * 8 + (High ? 16 : 0)))));
    return c;
  });
}

#define SPARSEC_PICK(type, name)                                                                   \
  [](Type t) -> Handler {                                                                          \
    switch (t) {                                                                                   \
    case Type::U16:                                                                                \
      return name<uint16_t>;                                                                       \
    case Type::S16:                                                                                \
      return name<int16_t>;                                                                        \
    case Type::U32:                                                                                \
      return name<uint32_t>;                                                                       \
    case Type::S32:                                                                                \
      return name<int32_t>;                                                                        \
    case Type::U64:                                                                                \
      return name<uint64_t>;                                                                       \
    case Type::S64:                                                                                \
      return name<int64_t>;                                                                        \
    default:                                                                                       \
      return nullptr;                                                                              \
    }                                                                                              \
  }(type)
#define SPARSEC_PICK_SIGNED(type, name)                                                            \
  (type == Type::S16   ? name<int16_t>                                                             \
   : type == Type::S32 ? name<int32_t>                                                             \
   : type == Type::S64 ? name<int64_t>                                                             \
                       : Handler(nullptr))
#define SPARSEC_PICK_NARROW(type, name)                                                            \
  (type == Type::U16   ? name<uint16_t>                                                            \
   : type == Type::S16 ? name<int16_t>                                                             \
   : type == Type::U32 ? name<uint32_t>                                                            \
   : type == Type::S32 ? name<int32_t>                                                             \
                       : Handler(nullptr))

void operandsOf(InstructionDecoder &d, Type type, int count, Type result = Type::None) {
  if (result == Type::None)
    result = type;
  d.dst(0, result);
  d.a(1, type);
  if (count > 1)
    d.b(2, type);
  if (count > 2)
    d.c(3, result);
  d.finish(count + 1);
}

Type widerType(Type type) {
  switch (type) {
  case Type::U16:
    return Type::U32;
  case Type::S16:
    return Type::S32;
  case Type::U32:
    return Type::U64;
  case Type::S32:
    return Type::S64;
  default:
    return Type::None;
  }
}

void decodeCarry(InstructionDecoder &d, bool reads, bool writes) {
  std::string_view opcode = d.opcode();
  d.inst().flags = reads | writes << 1;
  bool mad = opcode.substr(0, 3) == "mad";
  int part = mad ? d.takeOneOf({"lo", "hi"}) : -1;
  Type type = d.takeType();
  bool wide = sizeOf(type) == 8;
  d.expect(sizeOf(type) >= 4, "expected a 32- or 64-bit type");
  if (mad) {
    d.expect(part >= 0, "expected .lo or .hi");
    switch (type) {
    case Type::U32:
      d.run(part ? madCarry<uint32_t, true> : madCarry<uint32_t, false>);
      break;
    case Type::S32:
      d.run(part ? madCarry<int32_t, true> : madCarry<int32_t, false>);
      break;
    case Type::U64:
      d.run(part ? madCarry<uint64_t, true> : madCarry<uint64_t, false>);
      break;
    case Type::S64:
      d.run(part ? madCarry<int64_t, true> : madCarry<int64_t, false>);
      break;
    default:
      break;
    }
    return operandsOf(d, type, 3);
  }
  if (opcode.substr(0, 3) == "sub")
    d.run(wide ? addCarry<uint64_t, true> : addCarry<uint32_t, true>);
  else
    d.run(wide ? addCarry<uint64_t, false> : addCarry<uint32_t, false>);
  operandsOf(d, type, 2);
}

void decodeMultiply(InstructionDecoder &d, bool mad) {
  int part = d.takeOneOf({"lo", "hi", "wide"});
  bool sat = d.take("sat");
  Type type = d.takeType();
  d.expect(part >= 0, "expected .lo, .hi or .wide");
  if (sat) {
    d.expect(mad && part == 1 && type == Type::S32, "expected .sat only with mad.hi.s32");
    d.run(madHighSat);
  } else if (part == 0) {
    d.run(mad ? SPARSEC_PICK(type, madLow) : SPARSEC_PICK(type, mulLow));
  } else if (part == 1) {
    d.run(mad ? SPARSEC_PICK(type, madHigh) : SPARSEC_PICK(type, mulHigh));
  } else {
    d.run(mad ? SPARSEC_PICK_NARROW(type, madWide) : SPARSEC_PICK_NARROW(type, mulWide));
    return operandsOf(d, type, mad ? 3 : 2, widerType(type));
  }
  operandsOf(d, type, mad ? 3 : 2);
}

void decodeMultiply24(InstructionDecoder &d, bool mad) {
  bool high = d.takeOneOf({"lo", "hi"}) == 1;
  Type type = d.takeType();
  d.expect(type == Type::U32 || type == Type::S32, "expected .u32 or .s32");
  bool isS = type == Type::S32;
  if (mad)
    d.run(high ? (isS ? mul24<int32_t, true, true> : mul24<uint32_t, true, true>)
               : (isS ? mul24<int32_t, false, true> : mul24<uint32_t, false, true>));
  else
    d.run(high ? (isS ? mul24<int32_t, true, false> : mul24<uint32_t, true, false>)
               : (isS ? mul24<int32_t, false, false> : mul24<uint32_t, false, false>));
  operandsOf(d, type, mad ? 3 : 2);
}

void decodeDotProduct(InstructionDecoder &d) {
  bool two = d.opcode() == "dp2a";
  bool high = two && d.takeOneOf({"lo", "hi"}) == 1;
  bool signedA = d.takeType() == Type::S32, signedB = d.takeType() == Type::S32;
  int form = signedA * 2 + signedB;
  if (!two) {
    constexpr Handler handlers[] = {dp4a<uint8_t, uint8_t>, dp4a<uint8_t, int8_t>,
                                    dp4a<int8_t, uint8_t>, dp4a<int8_t, int8_t>};
    d.run(handlers[form]);
  } else if (high) {
    constexpr Handler handlers[] = {dp2a<uint16_t, uint8_t, true>, dp2a<uint16_t, int8_t, true>,
                                    dp2a<int16_t, uint8_t, true>, dp2a<int16_t, int8_t, true>};
    d.run(handlers[form]);
  } else {
    constexpr Handler handlers[] = {dp2a<uint16_t, uint8_t, false>, dp2a<uint16_t, int8_t, false>,
                                    dp2a<int16_t, uint8_t, false>, dp2a<int16_t, int8_t, false>};
    d.run(handlers[form]);
  }
  operandsOf(d, Type::U32, 3);
}

} // namespace

void decodeInteger(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  Type last = typeNamed(d.text.parts.back());
  if (last == Type::F16 || last == Type::F16x2 || last == Type::BF16 || last == Type::BF16x2)
    return decodeHalf(d);
  if (isFloat(last))
    return decodeFloat(d);
  bool writes = d.take("cc");
  if (opcode == "addc" || opcode == "subc" || opcode == "madc")
    return decodeCarry(d, true, writes);
  if (writes)
    return decodeCarry(d, false, true);
  if (opcode == "mul" || opcode == "mad")
    return decodeMultiply(d, opcode == "mad");
  if (opcode == "mul24" || opcode == "mad24")
    return decodeMultiply24(d, opcode == "mad24");
  if (opcode == "dp4a" || opcode == "dp2a")
    return decodeDotProduct(d);
  bool sat = d.take("sat");
  Type type = d.takeType();
  if (sat) {
    d.expect(type == Type::S32 && (opcode == "add" || opcode == "sub"),
             "expected .sat only with .s32");
    d.run(opcode == "add" ? addSat : subSat);
    return operandsOf(d, type, 2);
  }
  if (opcode == "abs" || opcode == "neg") {
    d.run(opcode == "abs" ? SPARSEC_PICK_SIGNED(type, absolute)
                          : SPARSEC_PICK_SIGNED(type, negate));
    return operandsOf(d, type, 1);
  }
  if (opcode == "sad") {
    d.run(SPARSEC_PICK(type, sad));
    return operandsOf(d, type, 3);
  }
  if (opcode == "add")
    d.run(SPARSEC_PICK(type, add));
  if (opcode == "sub")
    d.run(SPARSEC_PICK(type, sub));
  if (opcode == "div")
    d.run(SPARSEC_PICK(type, divide));
  if (opcode == "rem")
    d.run(SPARSEC_PICK(type, remainder));
  if (opcode == "min")
    d.run(SPARSEC_PICK(type, minimum));
  if (opcode == "max")
    d.run(SPARSEC_PICK(type, maximum));
  operandsOf(d, type, 2);
}

} // namespace sparsec::sim
