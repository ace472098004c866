// setp, set, selp, slct.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"
#include "runtime/sim/Numerics.h"

namespace sparsec::sim {

namespace {

enum class Comparison : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, Equ, Neu, Ltu, Leu, Gtu, Geu, Num, Nan };

// How a lane is read as a value to compare.
template <class T>
struct Integer {
  using Lane = LaneOf<T>;
  static T value(Lane bits) { return T(bits); }
};
struct Single {
  using Lane = uint32_t;
  static float value(Lane bits) { return bitsToFloat(bits); }
};
struct FlushedSingle {
  using Lane = uint32_t;
  static float value(Lane bits) { return flushed(bitsToFloat(bits)); }
};
struct Double {
  using Lane = uint64_t;
  static double value(Lane bits) { return __builtin_bit_cast(double, bits); }
};
struct HalfValue {
  using Lane = uint32_t;
  static float value(Lane bits) { return fromHalf(bits); }
};
struct BfloatValue {
  using Lane = uint32_t;
  static float value(Lane bits) { return fromBf16(bits); }
};

template <class V>
uint32_t compare(Warp &w, const Inst &in, Comparison comparison) {
  const typename V::Lane *a = w.in<typename V::Lane>(in.a), *b = w.in<typename V::Lane>(in.b);
#define SPARSEC_WHERE(expression)                                                                  \
  return bitsWhere([=](int i) {                                                                    \
    auto x = V::value(a[i]), y = V::value(b[i]);                                                   \
    return expression;                                                                             \
  })
  switch (comparison) {
  case Comparison::Eq:
    SPARSEC_WHERE(x == y);
  case Comparison::Ne:
    SPARSEC_WHERE(x < y || x > y);
  case Comparison::Lt:
    SPARSEC_WHERE(x < y);
  case Comparison::Le:
    SPARSEC_WHERE(x <= y);
  case Comparison::Gt:
    SPARSEC_WHERE(x > y);
  case Comparison::Ge:
    SPARSEC_WHERE(x >= y);
  case Comparison::Equ:
    SPARSEC_WHERE(!(x < y || x > y));
  case Comparison::Neu:
    SPARSEC_WHERE(x != y);
  case Comparison::Ltu:
    SPARSEC_WHERE(!(x >= y));
  case Comparison::Leu:
    SPARSEC_WHERE(!(x > y));
  case Comparison::Gtu:
    SPARSEC_WHERE(!(x <= y));
  case Comparison::Geu:
    SPARSEC_WHERE(!(x < y));
  case Comparison::Num:
    SPARSEC_WHERE(x == x && y == y);
  case Comparison::Nan:
    SPARSEC_WHERE(x != x || y != y);
  }
#undef SPARSEC_WHERE
  return 0;
}

enum class BoolOp : uint8_t { None, And, Or, Xor };

uint32_t combine(uint32_t compared, uint32_t with, BoolOp op) {
  switch (op) {
  case BoolOp::None:
    return compared;
  case BoolOp::And:
    return compared & with;
  case BoolOp::Or:
    return compared | with;
  case BoolOp::Xor:
    return compared ^ with;
  }
  return compared;
}

/// imm: comparison | op << 8 | (second destination + 1) << 16.
template <class V>
void setPredicate(Warp &w, const Inst &in) {
  uint32_t compared = compare<V>(w, in, Comparison(in.imm & 0xff));
  BoolOp op = BoolOp(in.imm >> 8 & 0xff);
  uint32_t with = op == BoolOp::None ? 0 : w.preds[in.c] ^ (in.flags & 0x20 ? ~0u : 0);
  if (in.dst >= 0)
    putPredicate(w, in.dst, combine(compared, with, op));
  if (int32_t second = int32_t(in.imm >> 16) - 1; second >= 0)
    putPredicate(w, second, combine(~compared, with, op));
}

/// set: all ones, or 1.0 when flags has 1.
template <class V>
void setValue(Warp &w, const Inst &in) {
  uint32_t compared = compare<V>(w, in, Comparison(in.imm & 0xff));
  BoolOp op = BoolOp(in.imm >> 8 & 0xff);
  uint32_t with = op == BoolOp::None ? 0 : w.preds[in.c] ^ (in.flags & 0x20 ? ~0u : 0);
  compared = combine(compared, with, op);
  uint32_t yes = uint32_t(in.imm >> 32), out[32];
  for (int i = 0; i < 32; ++i)
    out[i] = compared >> i & 1 ? yes : 0;
  put(w, in.dst, out);
}

template <class T>
void select(Warp &w, const Inst &in) {
  const T *a = w.in<T>(in.a), *b = w.in<T>(in.b);
  uint32_t choose = w.preds[in.c] ^ (in.flags & 0x20 ? ~0u : 0);
  alignas(64) T out[32];
  for (int i = 0; i < 32; ++i)
    out[i] = (choose >> i & 1) ? a[i] : b[i];
  put(w, in.dst, out);
}

template <class T, bool Float, bool Flush>
void selectBySign(Warp &w, const Inst &in) {
  const T *a = w.in<T>(in.a), *b = w.in<T>(in.b);
  const uint32_t *c = w.in<uint32_t>(in.c);
  T out[32];
  for (int i = 0; i < 32; ++i) {
    float value = bitsToFloat(c[i]);
    bool first = Float ? (Flush ? flushed(value) : value) >= 0 : int32_t(c[i]) >= 0;
    out[i] = first ? a[i] : b[i];
  }
  put(w, in.dst, out);
}

/// Which comparison a modifier means for a type; lo, ls, hi, hs are the unsigned names.
int takeComparison(InstructionDecoder &d) {
  int found = d.takeOneOf({"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu",
                           "geu", "num", "nan", "lo", "ls", "hi", "hs"});
  d.expect(found >= 0, "expected a comparison");
  return found >= 14 ? found - 14 + 2 : std::max(found, 0);
}

#define SPARSEC_PICK_VALUES(handler, type, flush)                                                  \
  [](Type t, bool ftz) -> Handler {                                                                \
    switch (t) {                                                                                   \
    case Type::B16:                                                                                \
    case Type::U16:                                                                                \
      return handler<Integer<uint16_t>>;                                                           \
    case Type::S16:                                                                                \
      return handler<Integer<int16_t>>;                                                            \
    case Type::B32:                                                                                \
    case Type::U32:                                                                                \
      return handler<Integer<uint32_t>>;                                                           \
    case Type::S32:                                                                                \
      return handler<Integer<int32_t>>;                                                            \
    case Type::B64:                                                                                \
    case Type::U64:                                                                                \
      return handler<Integer<uint64_t>>;                                                           \
    case Type::S64:                                                                                \
      return handler<Integer<int64_t>>;                                                            \
    case Type::F16:                                                                                \
      return handler<HalfValue>;                                                                   \
    case Type::BF16:                                                                               \
      return handler<BfloatValue>;                                                                 \
    case Type::F32:                                                                                \
      return ftz ? handler<FlushedSingle> : handler<Single>;                                       \
    case Type::F64:                                                                                \
      return handler<Double>;                                                                      \
    default:                                                                                       \
      return nullptr;                                                                              \
    }                                                                                              \
  }(type, flush)

void decodeSet(InstructionDecoder &d, bool predicate) {
  int comparison = takeComparison(d);
  int op = d.takeOneOf({"and", "or", "xor"}) + 1;
  bool ftz = d.take("ftz");
  int64_t second = 0;
  if (predicate) {
    const Operand &to = d.operand(0);
    d.dstPredicate(to);
    if (!to.second.empty() && to.second[0].kind == Operand::Kind::Register) {
      d.draft.defs.push_back(to.second[0].index);
      d.draft.secondPredicate = to.second[0].index;
    }
  } else {
    Type result = d.takeType();
    uint32_t yes = result == Type::F32 ? 0x3f800000u : ~0u;
    d.expect(result == Type::F32 || result == Type::U32 || result == Type::S32,
             "expected .u32, .s32 or .f32 as result");
    second = int64_t(yes) << 16;
    d.dst(0, result);
  }
  d.inst().imm = comparison | op << 8 | second << 16;
  Type type = d.takeType();
  d.a(1, type), d.b(2, type);
  if (op)
    d.cPredicate(d.operand(3));
  d.run(predicate ? SPARSEC_PICK_VALUES(setPredicate, type, ftz)
                  : SPARSEC_PICK_VALUES(setValue, type, ftz));
  d.finish(op ? 4 : 3);
}

} // namespace

void decodeCompare(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  if (opcode == "setp" || opcode == "set")
    return decodeSet(d, opcode == "setp");
  if (opcode == "selp") {
    Type type = d.takeType();
    d.dst(0, type), d.a(1, type), d.b(2, type);
    d.cPredicate(d.operand(3));
    d.draft.copies = true;
    d.run(sizeOf(type) == 8 ? select<uint64_t> : select<uint32_t>);
    return d.finish(4);
  }
  bool ftz = d.take("ftz");
  Type type = d.takeType(), by = d.takeType();
  d.dst(0, type), d.a(1, type), d.b(2, type), d.c(3, by);
  d.expect(by == Type::S32 || by == Type::F32, "expected .s32 or .f32 as selector");
  bool wide = sizeOf(type) == 8, single = by == Type::F32;
  if (wide)
    d.run(single ? (ftz ? selectBySign<uint64_t, true, true> : selectBySign<uint64_t, true, false>)
                 : selectBySign<uint64_t, false, false>);
  else
    d.run(single ? (ftz ? selectBySign<uint32_t, true, true> : selectBySign<uint32_t, true, false>)
                 : selectBySign<uint32_t, false, false>);
  d.finish(4);
}

} // namespace sparsec::sim
