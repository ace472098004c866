// Floating-point instructions and conversions against C++, on random and special operands.
#include "tests/runtime/sim/InstructionHarness.h"

#include <cfenv>
#include <cmath>
#include <fmt/core.h>

namespace sparsec::test {

namespace {

uint32_t bits(float value) {
  return std::isnan(value) ? 0x7fffffff : __builtin_bit_cast(uint32_t, value);
}
uint64_t bits(double value) {
  return __builtin_bit_cast(uint64_t, value);
}
/// PTX's: any NaN gives way to a number, +0 is above -0.
template <class T>
T greater(T a, T b) {
  return a != a ? b : b != b ? a : a == b ? (std::signbit(a) ? b : a) : a > b ? a : b;
}
template <class T>
T lesser(T a, T b) {
  return a != a ? b : b != b ? a : a == b ? (std::signbit(a) ? a : b) : a < b ? a : b;
}
float flush(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value;
}

template <class Reference>
void f(const std::string &line, Reference reference, double relativeError = 0) {
  checkInstruction(
      line, Result3::F, Values::Floats, [&](Operands x) { return bits(float(reference(x))); },
      relativeError);
}
template <class Reference>
void fd(const std::string &line, Reference reference) {
  // A NaN's payload is not defined: compared as one NaN.
  checkInstruction("{ .reg .pred %n; " + line +
                       " setp.nan.f64 %n, %fd3, %fd3; @%n mov.f64 %fd3, 0d7FF8000000000000; }",
                   Result3::FD, Values::Doubles, [&](Operands x) {
                     double value = reference(x);
                     return value != value ? 0x7ff8000000000000 : bits(value);
                   });
}

/// Under another rounding mode of the host. What the operation reads may change at the barrier, for
/// all the compiler knows, so it is not computed earlier; volatile keeps it from being so later.
template <class Operation>
float rounded(int mode, Operation operation) {
  std::fesetround(mode);
  asm volatile("" : : "r"(&operation) : "memory");
  volatile float result = operation();
  std::fesetround(FE_TONEAREST);
  return result;
}

TEST(SimFloat, Singles) {
  f("add.f32 %f3, %f0, %f1;", [](Operands x) { return x.f(0) + x.f(1); });
  f("add.rn.ftz.f32 %f3, %f0, %f1;",
    [](Operands x) { return flush(flush(x.f(0)) + flush(x.f(1))); });
  f("sub.f32 %f3, %f0, %f1;", [](Operands x) { return x.f(0) - x.f(1); });
  f("mul.f32 %f3, %f0, %f1;", [](Operands x) { return x.f(0) * x.f(1); });
  f("mul.sat.f32 %f3, %f0, %f1;", [](Operands x) {
    float product = x.f(0) * x.f(1);
    return product > 0 ? std::min(product, 1.0f) : 0;
  });
  f("fma.rn.f32 %f3, %f0, %f1, %f2;", [](Operands x) { return std::fma(x.f(0), x.f(1), x.f(2)); });
  f("fma.rn.ftz.f32 %f3, %f0, %f1, 0f3F800000;",
    [](Operands x) { return flush(std::fma(flush(x.f(0)), flush(x.f(1)), 1.0f)); });
  f("div.rn.f32 %f3, %f0, %f1;", [](Operands x) { return x.f(0) / x.f(1); });
  f("rcp.rn.f32 %f3, %f0;", [](Operands x) { return 1 / x.f(0); });
  f("sqrt.rn.f32 %f3, %f0;", [](Operands x) { return std::sqrt(x.f(0)); });
  f("min.f32 %f3, %f0, %f1;", [](Operands x) { return lesser(x.f(0), x.f(1)); });
  f("max.f32 %f3, %f0, %f1;", [](Operands x) { return greater(x.f(0), x.f(1)); });
  f("max.NaN.f32 %f3, %f0, %f1;",
    [](Operands x) { return std::isunordered(x.f(0), x.f(1)) ? NAN : greater(x.f(0), x.f(1)); });
  // A NaN becomes the canonical one (recorded on an H200; the ISA leaves its bits open).
  checkInstruction("neg.f32 %f3, %f0;", Result3::F, Values::Floats, [](Operands x) {
    return std::isnan(x.f(0)) ? 0x7fffffffu : x.u(0) ^ 0x80000000;
  });
  checkInstruction("abs.f32 %f3, %f0;", Result3::F, Values::Floats, [](Operands x) {
    return std::isnan(x.f(0)) ? 0x7fffffffu : x.u(0) & 0x7fffffff;
  });
  checkInstruction("copysign.f32 %f3, %f0, %f1;", Result3::F, Values::Floats,
                   [](Operands x) { return (x.u(0) & 0x80000000) | (x.u(1) & 0x7fffffff); });
}

TEST(SimFloat, RoundsAsTold) {
  f("add.rz.f32 %f3, %f0, %f1;",
    [](Operands x) { return rounded(FE_TOWARDZERO, [&] { return x.f(0) + x.f(1); }); });
  f("mul.rp.f32 %f3, %f0, %f1;",
    [](Operands x) { return rounded(FE_UPWARD, [&] { return x.f(0) * x.f(1); }); });
  f("div.rm.f32 %f3, %f0, %f1;",
    [](Operands x) { return rounded(FE_DOWNWARD, [&] { return x.f(0) / x.f(1); }); });
  f("fma.rz.f32 %f3, %f0, %f1, %f2;", [](Operands x) {
    return rounded(FE_TOWARDZERO, [&] { return std::fma(x.f(0), x.f(1), x.f(2)); });
  });
}

TEST(SimFloat, Functions) {
  constexpr double close = 2e-7;
  f(
      "ex2.approx.f32 %f3, %f0;", [](Operands x) { return std::exp2(double(x.f(0))); }, close);
  f(
      "ex2.approx.ftz.f32 %f3, %f0;",
      [](Operands x) { return flush(float(std::exp2(double(flush(x.f(0)))))); }, close);
  f(
      "lg2.approx.f32 %f3, %f0;", [](Operands x) { return std::log2(double(x.f(0))); }, close);
  f(
      "rsqrt.approx.f32 %f3, %f0;", [](Operands x) { return 1 / std::sqrt(double(x.f(0))); },
      close);
  f(
      "sin.approx.f32 %f3, %f0;", [](Operands x) { return std::sin(double(x.f(0))); }, close);
  f(
      "cos.approx.f32 %f3, %f0;", [](Operands x) { return std::cos(double(x.f(0))); }, close);
  f(
      "tanh.approx.f32 %f3, %f0;", [](Operands x) { return std::tanh(double(x.f(0))); }, close);
  f(
      "rcp.approx.ftz.f32 %f3, %f0;", [](Operands x) { return flush(1 / flush(x.f(0))); }, close);
  f(
      "div.full.f32 %f3, %f0, %f1;", [](Operands x) { return x.f(0) / x.f(1); }, close);
}

TEST(SimFloat, Doubles) {
  fd("add.f64 %fd3, %fd0, %fd1;", [](Operands x) { return x.d(0) + x.d(1); });
  fd("mul.rn.f64 %fd3, %fd0, %fd1;", [](Operands x) { return x.d(0) * x.d(1); });
  fd("fma.rn.f64 %fd3, %fd0, %fd1, %fd2;",
     [](Operands x) { return std::fma(x.d(0), x.d(1), x.d(2)); });
  fd("div.rn.f64 %fd3, %fd0, %fd1;", [](Operands x) { return x.d(0) / x.d(1); });
  fd("sqrt.rn.f64 %fd3, %fd0;", [](Operands x) { return std::sqrt(x.d(0)); });
  fd("max.f64 %fd3, %fd0, %fd1;", [](Operands x) { return greater(x.d(0), x.d(1)); });
}

TEST(SimFloat, Compares) {
  auto p = [](const std::string &line, auto reference) {
    checkInstruction(line, Result3::P, Values::Floats,
                     [&](Operands x) { return bool(reference(x.f(0), x.f(1))); });
  };
  p("setp.lt.f32 %p3, %f0, %f1;", [](float a, float b) { return a < b; });
  p("setp.eq.f32 %p3, %f0, %f1;", [](float a, float b) { return a == b; });
  p("setp.ne.f32 %p3, %f0, %f1;", [](float a, float b) { return a < b || a > b; });
  p("setp.neu.f32 %p3, %f0, %f1;", [](float a, float b) { return a != b; });
  p("setp.geu.f32 %p3, %f0, %f1;", [](float a, float b) { return !(a < b); });
  p("setp.equ.ftz.f32 %p3, %f0, %f1;",
    [](float a, float b) { return !(flush(a) < flush(b) || flush(a) > flush(b)); });
  p("setp.nan.f32 %p3, %f0, %f1;", [](float a, float b) { return a != a || b != b; });
  p("setp.num.f32 %p3, %f0, %f1;", [](float a, float b) { return a == a && b == b; });
  p("testp.subnormal.f32 %p3, %f0;",
    [](float a, float) { return std::fpclassify(a) == FP_SUBNORMAL; });
  p("testp.finite.f32 %p3, %f0;", [](float a, float) { return std::isfinite(a); });
}

/// x clamped to a type, NaN to `nan`.
template <class T>
uint64_t clamped(double x, uint64_t nan) {
  if (x != x)
    return nan;
  if (x <= double(std::numeric_limits<T>::min()))
    return uint64_t(std::numeric_limits<T>::min());
  if (x >= double(std::numeric_limits<T>::max()))
    return uint64_t(std::numeric_limits<T>::max());
  return uint64_t(T(x));
}

TEST(SimConvert, BetweenIntegersAndFloats) {
  auto fromFloat = [](const std::string &line, Result3 to, auto reference) {
    checkInstruction(line, to, Values::Floats, [&](Operands x) { return reference(x.f(0)); });
  };
  fromFloat("cvt.rzi.s32.f32 %r3, %f0;", Result3::R,
            [](float x) { return uint32_t(clamped<int32_t>(std::trunc(x), 0)); });
  fromFloat("cvt.rni.u32.f32 %r3, %f0;", Result3::R,
            [](float x) { return uint32_t(clamped<uint32_t>(std::nearbyint(x), 0)); });
  fromFloat("cvt.rmi.s64.f32 %d3, %f0;", Result3::D,
            [](float x) { return clamped<int64_t>(std::floor(x), uint64_t(1) << 63); });
  fromFloat("cvt.rpi.u64.f32 %d3, %f0;", Result3::D,
            [](float x) { return clamped<uint64_t>(std::ceil(x), uint64_t(1) << 63); });
  fromFloat("cvt.rzi.s16.f32 %h3, %f0;", Result3::H,
            [](float x) { return uint16_t(clamped<int16_t>(std::trunc(x), 0)); });
  fromFloat("cvt.rni.f32.f32 %f3, %f0;", Result3::F,
            [](float x) { return bits(std::nearbyint(x)); });
  fromFloat("cvt.sat.f32.f32 %f3, %f0;", Result3::F,
            [](float x) { return bits(x > 0 ? std::min(x, 1.0f) : 0.0f); });
  checkInstruction("cvt.rzi.s32.f64 %r3, %fd0;", Result3::R, Values::Doubles, [](Operands x) {
    return uint32_t(clamped<int32_t>(std::trunc(x.d(0)), 0x80000000));
  });
  auto toFloat = [](const std::string &line, auto reference) {
    checkInstruction(line, Result3::F, Values::Bits,
                     [&](Operands x) { return bits(float(reference(x))); });
  };
  toFloat("cvt.rn.f32.s32 %f3, %r0;", [](Operands x) { return float(x.s(0)); });
  toFloat("cvt.rn.f32.u32 %f3, %r0;", [](Operands x) { return float(x.u(0)); });
  toFloat("cvt.rn.f32.u64 %f3, %d0;", [](Operands x) { return float(x.a); });
  toFloat("cvt.rz.f32.u32 %f3, %r0;",
          [](Operands x) { return rounded(FE_TOWARDZERO, [&] { return float(x.u(0)); }); });
  toFloat("cvt.rp.f32.s64 %f3, %d0;",
          [](Operands x) { return rounded(FE_UPWARD, [&] { return float(x.sl(0)); }); });
  checkInstruction("cvt.rn.f64.u64 %fd3, %d0;", Result3::FD, Values::Bits,
                   [](Operands x) { return bits(double(x.a)); });
  checkInstruction("cvt.rn.f32.f64 %f3, %fd0;", Result3::F, Values::Doubles,
                   [](Operands x) { return bits(float(x.d(0))); });
  checkInstruction("cvt.rz.f32.f64 %f3, %fd0;", Result3::F, Values::Doubles, [](Operands x) {
    return bits(rounded(FE_TOWARDZERO, [&] { return float(x.d(0)); }));
  });
}

TEST(SimConvert, BetweenIntegers) {
  auto check = [](const std::string &line, Result3 to, auto reference) {
    checkInstruction(line, to, Values::Bits, [&](Operands x) { return uint64_t(reference(x)); });
  };
  check("cvt.s64.s32 %d3, %r0;", Result3::D, [](Operands x) { return int64_t(x.s(0)); });
  check("cvt.u64.u32 %d3, %r0;", Result3::D, [](Operands x) { return x.u(0); });
  check("cvt.u32.u64 %r3, %d0;", Result3::R, [](Operands x) { return x.u(0); });
  check("cvt.s32.s8 %r3, %r0;", Result3::R, [](Operands x) { return uint32_t(int8_t(x.a)); });
  check("cvt.u16.u32 %h3, %r0;", Result3::H, [](Operands x) { return x.h(0); });
  check("cvt.s64.s16 %d3, %h0;", Result3::D, [](Operands x) { return int64_t(int16_t(x.a)); });
  check("cvt.sat.u8.s32 %r3, %r0;", Result3::R,
        [](Operands x) { return std::clamp(x.s(0), 0, 255); });
  check("cvt.sat.s16.s32 %h3, %r0;", Result3::H,
        [](Operands x) { return uint16_t(std::clamp(x.s(0), -32768, 32767)); });
}

/// Sixteen-bit floats by search: the nearest of all values of the format, ties to even.
struct SmallFormat {
  int exponentBits, fractionBits;
  double value(uint16_t code) const {
    int bias = (1 << (exponentBits - 1)) - 1, fraction = code & ((1 << fractionBits) - 1);
    int exponent = code >> fractionBits & ((1 << exponentBits) - 1);
    double magnitude = exponent
                           ? std::ldexp(1 + std::ldexp(fraction, -fractionBits), exponent - bias)
                           : std::ldexp(fraction, 1 - bias - fractionBits);
    return code & 0x8000 ? -magnitude : magnitude;
  }
  uint16_t infinity() const { return ((1 << exponentBits) - 1) << fractionBits; }
  /// The magnitudes are ordered as their codes are: the one at or below x.
  uint16_t below(double x) const {
    uint16_t low = 0, high = infinity();
    while (high - low > 1) {
      uint16_t middle = (low + high) / 2;
      (value(middle) <= x ? low : high) = middle;
    }
    return low;
  }
  uint16_t nearest(double x) const {
    if (x != x)
      return 0x7fff;
    uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    x = std::fabs(x);
    if (std::isinf(x))
      return infinity() | sign;
    uint16_t low = below(x), high = low + 1;
    double toLow = x - value(low), toHigh = value(high) - x; // "infinity" counts as the next power
    return (toLow < toHigh || (toLow == toHigh && low % 2 == 0) ? low : high) | sign;
  }
};
constexpr SmallFormat half{5, 10}, bfloat{8, 7};

TEST(SimConvert, SixteenBitFloats) {
  for (auto [name, format] : {std::pair("f16", half), std::pair("bf16", bfloat)}) {
    auto to = [&, format = format](Operands x) { return format.nearest(x.f(0)); };
    checkInstruction(fmt::format("cvt.rn.{}.f32 %h3, %f0;", name), Result3::H, Values::Floats, to);
    checkInstruction(fmt::format("cvt.rn.{}x2.f32 %r3, %f0, %f1;", name), Result3::R,
                     Values::Floats, [format = format](Operands x) {
                       return uint32_t(format.nearest(x.f(0))) << 16 | format.nearest(x.f(1));
                     });
    checkInstruction(fmt::format("cvt.rn.relu.{}x2.f32 %r3, %f0, %f1;", name), Result3::R,
                     Values::Floats, [format = format](Operands x) {
                       auto one = [&](float v) { return format.nearest(v <= 0 ? 0.0f : v); };
                       return uint32_t(one(x.f(0))) << 16 | one(x.f(1));
                     });
    checkInstruction(fmt::format("cvt.f32.{} %f3, %h0;", name), Result3::F,
                     format.exponentBits == 5 ? Values::Halves : Values::Bfloats,
                     [format = format](Operands x) {
                       uint16_t magnitude = x.h(0) & 0x7fff;
                       if (magnitude > format.infinity())
                         return 0x7fffffffu;
                       float sign = x.h(0) & 0x8000 ? -1 : 1;
                       return bits(magnitude == format.infinity() ? sign * HUGE_VALF
                                                                  : float(format.value(x.h(0))));
                     });
  }
}

TEST(SimHalf, Arithmetic) {
  for (auto [name, format] : {std::pair("f16", half), std::pair("bf16", bfloat)}) {
    Values values = format.exponentBits == 5 ? Values::Halves : Values::Bfloats;
    auto value = [format = format](uint64_t code) -> double {
      uint16_t magnitude = code & 0x7fff;
      if (magnitude >= format.infinity())
        return magnitude > format.infinity() ? NAN : code & 0x8000 ? -HUGE_VAL : HUGE_VAL;
      return format.value(uint16_t(code));
    };
    auto both = [&](const std::string &op, auto reference, const char *sources, const char *rn) {
      std::string one(sources), pair(sources);
      for (char &c : one)
        c = c == 'X' ? 'h' : c;
      for (char &c : pair)
        c = c == 'X' ? 'r' : c;
      checkInstruction(fmt::format("{}{}.{} %h3, {};", op, rn, name, one), Result3::H, values,
                       [&, format = format](Operands x) {
                         return format.nearest(reference(value(x.a), value(x.b), value(x.c)));
                       });
      checkInstruction(fmt::format("{}{}.{}x2 %r3, {};", op, rn, name, pair), Result3::R, values,
                       [&, format = format](Operands x) {
                         uint32_t low =
                             format.nearest(reference(value(x.a), value(x.b), value(x.c)));
                         return low | uint32_t(format.nearest(reference(
                                          value(x.a >> 16), value(x.b >> 16), value(x.c >> 16))))
                                          << 16;
                       });
    };
    both(
        "fma",
        [](double a, double b, double c) {
          // The product is exact in a double; of a sum that is not, its side of the product
          // decides.
          double product = a * b, sum = product + c;
          return sum == product && c != 0 && std::isfinite(sum)
                     ? std::nextafter(sum, c > 0 ? HUGE_VAL : -HUGE_VAL)
                     : sum;
        },
        "%X0, %X1, %X2", ".rn");
    both(
        "add", [](double a, double b, double) { return a + b; }, "%X0, %X1", "");
    both(
        "mul", [](double a, double b, double) { return a * b; }, "%X0, %X1", "");
    both(
        "max", [](double a, double b, double) { return greater(a, b); }, "%X0, %X1", "");
    both(
        "min", [](double a, double b, double) { return lesser(a, b); }, "%X0, %X1", "");
  }
}

} // namespace

} // namespace sparsec::test
