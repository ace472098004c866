// f32 and f64 arithmetic. Approximate functions are computed in double and rounded once, which is
// at least as close as any GPU; comparisons with a GPU allow for its error.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"
#include "runtime/sim/Numerics.h"

#include <cfenv>

namespace sparsec::sim {

namespace {

constexpr uint8_t flushBit = 1, saturateBit = 2;

/// What follows every f32 operation: canonical NaN, .ftz, .sat.
void putSingle(Warp &w, const Inst &in, float *values) {
  alignas(64) uint32_t out[32];
  if (in.flags & flushBit)
    for (int i = 0; i < 32; ++i)
      values[i] = flushed(values[i]);
  if (in.flags & saturateBit)
    for (int i = 0; i < 32; ++i)
      values[i] = values[i] > 0 ? (values[i] < 1 ? values[i] : 1.0f) : 0.0f;
  for (int i = 0; i < 32; ++i)
    out[i] = floatToBits(canonical(values[i]));
  put(w, in.dst, out);
}

/// An operand of an f32 operation; `scratch` holds it when it has to be flushed.
const float *single(Warp &w, const Inst &in, int32_t o, float *scratch) {
  const float *values = w.in<float>(o);
  if (!(in.flags & flushBit))
    return values;
  for (int i = 0; i < 32; ++i)
    scratch[i] = flushed(values[i]);
  return scratch;
}

template <class Op>
void single1(Warp &w, const Inst &in, Op op) {
  alignas(64) float x[32], out[32];
  const float *a = single(w, in, in.a, x);
  for (int i = 0; i < 32; ++i)
    out[i] = op(a[i]);
  putSingle(w, in, out);
}
template <class Op>
void single2(Warp &w, const Inst &in, Op op) {
  alignas(64) float x[32], y[32], out[32];
  const float *a = single(w, in, in.a, x), *b = single(w, in, in.b, y);
  for (int i = 0; i < 32; ++i)
    out[i] = op(a[i], b[i]);
  putSingle(w, in, out);
}

void addSingle(Warp &w, const Inst &in) {
  single2(w, in, [](float a, float b) { return a + b; });
}
void subSingle(Warp &w, const Inst &in) {
  single2(w, in, [](float a, float b) { return a - b; });
}
void mulSingle(Warp &w, const Inst &in) {
  single2(w, in, [](float a, float b) { return a * b; });
}
void divSingle(Warp &w, const Inst &in) {
  single2(w, in, [](float a, float b) { return a / b; });
}

using Exp2 = void (*)(const float *, float *);
using FusedSingle = void (*)(const float *, const float *, const float *, float *);
using FusedDouble = void (*)(const double *, const double *, const double *, double *);

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void fusedSingleFast(const float *a, const float *b,
                                                         const float *c, float *out) {
  for (int i = 0; i < 32; ++i)
    out[i] = __builtin_fmaf(a[i], b[i], c[i]);
}
__attribute__((target("avx2,fma"))) void fusedDoubleFast(const double *a, const double *b,
                                                         const double *c, double *out) {
  for (int i = 0; i < 32; ++i)
    out[i] = __builtin_fma(a[i], b[i], c[i]);
}
// Without fma: one result on every machine.
__attribute__((target("avx2"))) void exp2Fast(const float *a, float *out) {
  for (int i = 0; i < 32; ++i)
    out[i] = float(exp2Of(double(a[i])));
}
bool hasFused() {
  return __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
}
#else
constexpr FusedSingle fusedSingleFast = nullptr;
constexpr FusedDouble fusedDoubleFast = nullptr;
constexpr Exp2 exp2Fast = nullptr;
bool hasFused() {
  return false;
}
#endif
void exp2Slow(const float *a, float *out) {
  for (int i = 0; i < 32; ++i)
    out[i] = float(exp2Of(double(a[i])));
}
void fusedSingleSlow(const float *a, const float *b, const float *c, float *out) {
  for (int i = 0; i < 32; ++i)
    out[i] = std::fma(a[i], b[i], c[i]);
}
void fusedDoubleSlow(const double *a, const double *b, const double *c, double *out) {
  for (int i = 0; i < 32; ++i)
    out[i] = std::fma(a[i], b[i], c[i]);
}

template <FusedSingle Fused>
void fmaSingle(Warp &w, const Inst &in) {
  alignas(64) float x[32], y[32], z[32], out[32];
  Fused(single(w, in, in.a, x), single(w, in, in.b, y), single(w, in, in.c, z), out);
  putSingle(w, in, out);
}
template <FusedDouble Fused>
void fmaDouble(Warp &w, const Inst &in) {
  alignas(64) double out[32];
  Fused(w.in<double>(in.a), w.in<double>(in.b), w.in<double>(in.c), out);
  put(w, in.dst, reinterpret_cast<const uint64_t *>(out));
}

/// The greater (or lesser) of two, +0 above -0; a NaN gives way, unless .NaN.
template <class T, bool Max, bool KeepNan>
T extremeOf(T a, T b) {
  bool first = Max ? a > b : a < b;
  T chosen = first ? a : b;
  bool negative = std::is_same_v<T, float> ? floatToBits(float(a)) >> 31 : std::signbit(a);
  chosen = a == b ? (negative == Max ? b : a) : chosen;
  T withNan = KeepNan ? (a != a ? a : b) : (a != a ? b : a);
  return (a != a || b != b) ? withNan : chosen;
}
template <bool Max, bool KeepNan>
void extremeSingle(Warp &w, const Inst &in) {
  single2(w, in, extremeOf<float, Max, KeepNan>);
}
template <bool Max>
void extremeDouble(Warp &w, const Inst &in) {
  binary<double>(w, in, extremeOf<double, Max, false>);
}

// Of a NaN both give the canonical one, as the hardware's addition does that they become.
void absSingle(Warp &w, const Inst &in) {
  bool flush = in.flags & flushBit;
  unary<uint32_t>(w, in, [=](uint32_t a) {
    uint32_t value = (flush ? floatToBits(flushed(bitsToFloat(a))) : a) & 0x7fffffff;
    return value > 0x7f800000 ? canonicalNan : value;
  });
}
void negSingle(Warp &w, const Inst &in) {
  bool flush = in.flags & flushBit;
  unary<uint32_t>(w, in, [=](uint32_t a) {
    uint32_t value = (flush ? floatToBits(flushed(bitsToFloat(a))) : a) ^ 0x80000000;
    return (value & 0x7fffffff) > 0x7f800000 ? canonicalNan : value;
  });
}
void absDouble(Warp &w, const Inst &in) {
  unary<uint64_t>(w, in, [](uint64_t a) { return a & ~(uint64_t(1) << 63); });
}
void negDouble(Warp &w, const Inst &in) {
  unary<uint64_t>(w, in, [](uint64_t a) { return a ^ uint64_t(1) << 63; });
}
void addDouble(Warp &w, const Inst &in) {
  binary<double>(w, in, [](double a, double b) { return a + b; });
}
void subDouble(Warp &w, const Inst &in) {
  binary<double>(w, in, [](double a, double b) { return a - b; });
}
void mulDouble(Warp &w, const Inst &in) {
  binary<double>(w, in, [](double a, double b) { return a * b; });
}
void divDouble(Warp &w, const Inst &in) {
  binary<double>(w, in, [](double a, double b) { return a / b; });
}

// Functions of one argument.
void rcpSingle(Warp &w, const Inst &in) {
  single1(w, in, [](float a) { return 1.0f / a; });
}
void sqrtSingle(Warp &w, const Inst &in) {
  single1(w, in, [](float a) { return __builtin_sqrtf(a); });
}
void rsqrtSingle(Warp &w, const Inst &in) {
  single1(w, in, [](float a) { return float(1 / std::sqrt(double(a))); });
}
void sinSingle(Warp &w, const Inst &in) {
  single1(w, in, [](float a) { return float(std::sin(double(a))); });
}
void cosSingle(Warp &w, const Inst &in) {
  single1(w, in, [](float a) { return float(std::cos(double(a))); });
}
void lg2Single(Warp &w, const Inst &in) {
  single1(w, in, [](float a) { return float(std::log2(double(a))); });
}
template <Exp2 All>
void ex2Single(Warp &w, const Inst &in) {
  alignas(64) float x[32], out[32];
  All(single(w, in, in.a, x), out);
  putSingle(w, in, out);
}
void tanhSingle(Warp &w, const Inst &in) {
  single1(w, in, [](float a) { return float(std::tanh(double(a))); });
}
void rcpDouble(Warp &w, const Inst &in) {
  unary<double>(w, in, [](double a) { return 1 / a; });
}
void sqrtDouble(Warp &w, const Inst &in) {
  unary<double>(w, in, [](double a) { return std::sqrt(a); });
}
void rsqrtDouble(Warp &w, const Inst &in) {
  unary<double>(w, in, [](double a) { return 1 / std::sqrt(a); });
}

// Directed roundings: by the host's rounding mode, lane by lane.
enum class Operation : uint8_t { Add, Sub, Mul, Fma, Div, Rcp, Sqrt };

template <class T, Operation Op>
void directed(Warp &w, const Inst &in) {
  const T *a = w.in<T>(in.a), *b = w.in<T>(in.b), *c = w.in<T>(in.c);
  alignas(64) T out[32];
  auto input = [&](T value) -> T {
    if constexpr (std::is_same_v<T, float>)
      return in.flags & flushBit ? flushed(value) : value;
    else
      return value;
  };
  int mode = in.imm == int(Rounding::Zero) ? FE_TOWARDZERO
             : in.imm == int(Rounding::Up) ? FE_UPWARD
                                           : FE_DOWNWARD;
  std::fesetround(mode);
  for (int i = 0; i < 32; ++i) {
    volatile T x = input(a[i]), y = 0, z = 0, r = 0;
    if (Op != Operation::Rcp && Op != Operation::Sqrt)
      y = input(b[i]);
    if (Op == Operation::Fma)
      z = input(c[i]);
    switch (Op) {
    case Operation::Add:
      r = x + y;
      break;
    case Operation::Sub:
      r = x - y;
      break;
    case Operation::Mul:
      r = x * y;
      break;
    case Operation::Fma:
      r = std::fma(T(x), T(y), T(z));
      break;
    case Operation::Div:
      r = x / y;
      break;
    case Operation::Rcp:
      r = T(1) / x;
      break;
    case Operation::Sqrt:
      r = std::sqrt(T(x));
      break;
    }
    out[i] = r;
  }
  std::fesetround(FE_TONEAREST);
  if constexpr (std::is_same_v<T, float>)
    putSingle(w, in, out);
  else
    put(w, in.dst, reinterpret_cast<const uint64_t *>(out));
}

template <class T>
uint32_t tested(const T *a, int64_t what) {
  switch (what) {
  case 0:
    return bitsWhere([=](int i) { return std::isfinite(a[i]); });
  case 1:
    return bitsWhere([=](int i) { return std::isinf(a[i]); });
  case 2:
    return bitsWhere([=](int i) { return !std::isnan(a[i]); });
  case 3:
    return bitsWhere([=](int i) { return std::isnan(a[i]); });
  case 4:
    return bitsWhere([=](int i) { return std::isnormal(a[i]); });
  default:
    return bitsWhere([=](int i) { return std::fpclassify(a[i]) == FP_SUBNORMAL; });
  }
}
template <class T>
void testp(Warp &w, const Inst &in) {
  putPredicate(w, in.dst, tested(w.in<T>(in.a), in.imm));
}
template <class T>
void copySign(Warp &w, const Inst &in) {
  constexpr T sign = T(1) << (sizeof(T) * 8 - 1);
  binary<T>(w, in, [](T a, T b) { return T((a & sign) | (b & ~sign)); });
}

/// The rounding as written; `nearest` when none is.
Rounding takeRounding(InstructionDecoder &d) {
  constexpr Rounding roundings[] = {Rounding::Nearest, Rounding::Zero, Rounding::Down,
                                    Rounding::Up};
  int found = d.takeOneOf({"rn", "rz", "rm", "rp"});
  return found < 0 ? Rounding::Nearest : roundings[found];
}

template <Operation Op>
Handler directedFor(Type type) {
  return type == Type::F32 ? directed<float, Op> : directed<double, Op>;
}

void decodeArithmetic(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  Rounding rounding = takeRounding(d);
  bool approximate = d.takeOneOf({"approx", "full"}) >= 0;
  d.inst().flags = (d.take("ftz") ? flushBit : 0) | (d.take("sat") ? saturateBit : 0);
  Type type = d.takeType();
  bool wide = type == Type::F64;
  d.expect(wide || type == Type::F32, "expected .f32 or .f64");
  d.expect(!approximate || opcode == "div", "expected .approx or .full only with div");
  d.inst().imm = int(rounding);
  d.dst(0, type), d.a(1, type), d.b(2, type);
  bool fused = opcode == "fma" || opcode == "mad";
  if (fused)
    d.c(3, type);
  bool nearest = rounding == Rounding::Nearest;
  if (opcode == "add")
    d.run(!nearest ? directedFor<Operation::Add>(type) : wide ? addDouble : addSingle);
  if (opcode == "sub")
    d.run(!nearest ? directedFor<Operation::Sub>(type) : wide ? subDouble : subSingle);
  if (opcode == "mul")
    d.run(!nearest ? directedFor<Operation::Mul>(type) : wide ? mulDouble : mulSingle);
  if (opcode == "div")
    d.run(!nearest ? directedFor<Operation::Div>(type) : wide ? divDouble : divSingle);
  if (fused) {
    bool fast = hasFused();
    d.run(!nearest ? directedFor<Operation::Fma>(type)
          : wide   ? (fast ? fmaDouble<fusedDoubleFast> : fmaDouble<fusedDoubleSlow>)
                   : (fast ? fmaSingle<fusedSingleFast> : fmaSingle<fusedSingleSlow>));
  }
  d.finish(fused ? 4 : 3);
}

void decodeExtreme(InstructionDecoder &d) {
  bool greater = d.opcode() == "max", keepNan = d.take("NaN");
  d.inst().flags = d.take("ftz") ? flushBit : 0;
  Type type = d.takeType();
  d.dst(0, type), d.a(1, type), d.b(2, type);
  if (type == Type::F64)
    d.run(greater ? extremeDouble<true> : extremeDouble<false>);
  else if (type == Type::F32 && keepNan)
    d.run(greater ? extremeSingle<true, true> : extremeSingle<false, true>);
  else if (type == Type::F32)
    d.run(greater ? extremeSingle<true, false> : extremeSingle<false, false>);
  d.finish(3);
}

void decodeFunction(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  Rounding rounding = takeRounding(d);
  d.take("approx");
  d.inst().flags = d.take("ftz") ? flushBit : 0;
  Type type = d.takeType();
  bool wide = type == Type::F64, nearest = rounding == Rounding::Nearest;
  d.expect(wide || type == Type::F32, "expected .f32 or .f64");
  d.inst().imm = int(rounding);
  d.dst(0, type), d.a(1, type);
  if (opcode == "rcp")
    d.run(!nearest ? directedFor<Operation::Rcp>(type) : wide ? rcpDouble : rcpSingle);
  else if (opcode == "sqrt")
    d.run(!nearest ? directedFor<Operation::Sqrt>(type) : wide ? sqrtDouble : sqrtSingle);
  else if (opcode == "rsqrt")
    d.run(wide ? rsqrtDouble : rsqrtSingle);
  else if (opcode == "abs")
    d.run(wide ? absDouble : absSingle);
  else if (opcode == "neg")
    d.run(wide ? negDouble : negSingle);
  else if (!wide)
    d.run(opcode == "sin"    ? sinSingle
          : opcode == "cos"  ? cosSingle
          : opcode == "lg2"  ? lg2Single
          : opcode == "ex2"  ? (hasFused() ? ex2Single<exp2Fast> : ex2Single<exp2Slow>)
          : opcode == "tanh" ? tanhSingle
                             : Handler(nullptr));
  d.finish(2);
}

} // namespace

void decodeFloat(InstructionDecoder &d) {
  std::string_view opcode = d.opcode();
  Type last = typeNamed(d.text.parts.back());
  if (last == Type::F16 || last == Type::F16x2 || last == Type::BF16 || last == Type::BF16x2)
    return decodeHalf(d);
  if (opcode == "min" || opcode == "max")
    return decodeExtreme(d);
  if (opcode == "testp") {
    d.inst().imm =
        d.takeOneOf({"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
    d.expect(d.inst().imm >= 0, "expected what to test for");
    Type type = d.takeType();
    d.dstPredicate(d.operand(0));
    d.a(1, type);
    d.run(type == Type::F64 ? testp<double> : testp<float>);
    return d.finish(2);
  }
  if (opcode == "copysign") {
    Type type = d.takeType();
    d.dst(0, type), d.a(1, type), d.b(2, type);
    d.run(type == Type::F64 ? copySign<uint64_t> : copySign<uint32_t>);
    return d.finish(3);
  }
  if (opcode == "add" || opcode == "sub" || opcode == "mul" || opcode == "div" || opcode == "fma" ||
      opcode == "mad")
    return decodeArithmetic(d);
  decodeFunction(d);
}

} // namespace sparsec::sim
