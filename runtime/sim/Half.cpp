// Arithmetic on f16 and bf16, scalar and in pairs.
//
// One rounding each: sums and products of two are rounded from f32, which has more than twice the
// bits; fused ones from a double that was rounded to odd.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"
#include "runtime/sim/Numerics.h"

#include <algorithm>

namespace sparsec::sim {

namespace {

struct HalfFormat {
  static float load(uint16_t bits) { return fromHalf(bits); }
  static uint16_t store(float value) { return toHalf(value); }
  static uint16_t storeWide(double value) { return toHalf(value, Rounding::Nearest); }
  static constexpr uint16_t exponent = 0x7c00, one = 0x3c00;
};
struct BfloatFormat {
  static float load(uint16_t bits) { return fromBf16(bits); }
  static uint16_t store(float value) { return toBf16(value); }
  static uint16_t storeWide(double value) { return toBf16(value, Rounding::Nearest); }
  static constexpr uint16_t exponent = 0x7f80, one = 0x3f80;
};

enum class HalfOp : uint8_t { Add, Sub, Mul, Fma, Min, Max, Neg, Abs, Ex2, Tanh };

constexpr uint8_t flushBit = 1, saturateBit = 2, reluBit = 4, keepNanBit = 8;

/// a * b + c with one rounding, to odd: a second one to fewer bits is then right as well.
double fusedToOdd(double a, double b, double c) {
  double product = a * b; // exact
  double sum = product + c;
  if (!std::isfinite(sum))
    return sum;
  double back = sum - product;
  double error = (product - (sum - back)) + (c - back);
  uint64_t bits = __builtin_bit_cast(uint64_t, sum);
  if (error != 0 && !(bits & 1))
    bits += (error > 0) == (sum > 0) ? 1 : -1;
  return __builtin_bit_cast(double, bits);
}

template <class F, HalfOp Op>
uint16_t compute(uint16_t a, uint16_t b, uint16_t c, uint8_t flags) {
  auto flush = [&](uint16_t bits) -> uint16_t {
    return (flags & flushBit) && !(bits & F::exponent) ? bits & 0x8000 : bits;
  };
  if (Op == HalfOp::Neg)
    return (a & 0x7fff) > F::exponent ? canonicalNan16 : flush(a) ^ 0x8000;
  if (Op == HalfOp::Abs)
    return flush(a) & 0x7fff;
  float x = F::load(flush(a)), y = F::load(flush(b));
  uint16_t result = 0;
  switch (Op) {
  case HalfOp::Add:
    result = F::store(x + y);
    break;
  case HalfOp::Sub:
    result = F::store(x - y);
    break;
  case HalfOp::Mul:
    result = F::store(x * y);
    break;
  case HalfOp::Fma:
    result = F::storeWide(fusedToOdd(x, y, F::load(flush(c))));
    break;
  case HalfOp::Min:
  case HalfOp::Max: {
    bool nan = x != x || y != y;
    bool first = Op == HalfOp::Max ? x > y || (x == y && !std::signbit(x))
                                   : x < y || (x == y && std::signbit(x));
    uint16_t number = x != x ? flush(b) : flush(a);
    result = nan ? (flags & keepNanBit) || (x != x && y != y) ? canonicalNan16 : number
                 : (first ? flush(a) : flush(b));
    break;
  }
  case HalfOp::Ex2:
    result = F::storeWide(exp2Of(x));
    break;
  case HalfOp::Tanh:
    result = F::storeWide(std::tanh(double(x)));
    break;
  case HalfOp::Neg:
  case HalfOp::Abs:
    break;
  }
  bool nan = (result & 0x7fff) > F::exponent;
  if (flags & saturateBit)
    result = nan || (result & 0x8000) ? 0 : std::min<uint16_t>(result, F::one);
  if ((flags & reluBit) && !nan && (result & 0x8000))
    result = 0;
  return flush(result);
}

template <class F, HalfOp Op, bool Pair>
void half(Warp &w, const Inst &in) {
  const uint32_t *a = w.in<uint32_t>(in.a), *b = w.in<uint32_t>(in.b), *c = w.in<uint32_t>(in.c);
  uint32_t out[32];
  for (int i = 0; i < 32; ++i) {
    out[i] = compute<F, Op>(a[i], b[i], c[i], in.flags);
    if (Pair)
      out[i] |= uint32_t(compute<F, Op>(a[i] >> 16, b[i] >> 16, c[i] >> 16, in.flags)) << 16;
  }
  put(w, in.dst, out);
}

template <HalfOp Op>
Handler handlerFor(Type type) {
  switch (type) {
  case Type::F16:
    return half<HalfFormat, Op, false>;
  case Type::F16x2:
    return half<HalfFormat, Op, true>;
  case Type::BF16:
    return half<BfloatFormat, Op, false>;
  case Type::BF16x2:
    return half<BfloatFormat, Op, true>;
  default:
    return nullptr;
  }
}

} // namespace

void decodeHalf(InstructionDecoder &d) {
  struct Row {
    std::string_view opcode;
    Handler (*handler)(Type);
    int sources;
  };
  constexpr Row rows[] = {
      {"add", handlerFor<HalfOp::Add>, 2}, {"sub", handlerFor<HalfOp::Sub>, 2},
      {"mul", handlerFor<HalfOp::Mul>, 2}, {"fma", handlerFor<HalfOp::Fma>, 3},
      {"min", handlerFor<HalfOp::Min>, 2}, {"max", handlerFor<HalfOp::Max>, 2},
      {"neg", handlerFor<HalfOp::Neg>, 1}, {"abs", handlerFor<HalfOp::Abs>, 1},
      {"ex2", handlerFor<HalfOp::Ex2>, 1}, {"tanh", handlerFor<HalfOp::Tanh>, 1},
  };
  d.take("rn");
  d.take("approx");
  d.inst().flags = (d.take("ftz") ? flushBit : 0) | (d.take("sat") ? saturateBit : 0) |
                   (d.take("relu") ? reluBit : 0) | (d.take("NaN") ? keepNanBit : 0);
  Type type = d.takeType();
  for (const Row &row : rows) {
    if (row.opcode != d.opcode())
      continue;
    d.dst(0, type), d.a(1, type);
    if (row.sources > 1)
      d.b(2, type);
    if (row.sources > 2)
      d.c(3, type);
    if (row.sources < 3)
      d.inst().c = d.constant(0, 4);
    if (row.sources < 2)
      d.inst().b = d.constant(0, 4);
    d.run(row.handler(type));
    d.finish(row.sources + 1);
  }
}

} // namespace sparsec::sim
