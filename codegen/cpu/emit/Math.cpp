// Functions of math as polynomials, and conversions of 16-bit floats: part of Code.
//
//   exp2(x) = 2^n p(f), n = x rounded, f = x - n in [-1/2, 1/2], p of degree 6: within 2 ulp for x
//             in [-126, 127.4]. Below, results under 2^-126 are 0; above, they are infinite a
//             little early. -inf gives exactly 0, NaN stays NaN.
//             AVX-512 takes n = floor(x), f in [0, 1], by instructions for both: as near to it, and
//             right at the ends as well. Of x <= 0 in fewer steps (exp2OfDecay), within 2 ulp too.
//   exp(x)    by the same p, f = (x - n ln 2) log2(e): within 3 ulp for x in [-87, 88]
//   log(x) = e ln 2 + log(m), m in [sqrt(1/2), sqrt(2)), in the form of Cephes: within 2 ulp for
//             all positive numbers; -inf at 0, NaN below
//
// tests/codegen/CpuProgramsTest.cpp holds them to it.
#include "codegen/cpu/emit/Code.h"

#include "llvm/IR/IntrinsicsX86.h"

#include <array>
#include <limits>

using namespace llvm;

namespace sparsec::cpu {

Type *Code::like(Value *shape, Type *element) {
  auto *vector = dyn_cast<FixedVectorType>(shape->getType());
  return vector ? vectorOf(element, int(vector->getNumElements())) : element;
}
Value *Code::splat(Value *shape, float value) {
  return ConstantFP::get(like(shape, getFloatTy()), double(value));
}
Value *Code::splatInt(Value *shape, uint32_t value) {
  return ConstantInt::get(like(shape, getInt32Ty()), value);
}
Value *Code::asInt(Value *x) {
  return CreateBitCast(x, like(x, getInt32Ty()));
}
Value *Code::asFloat(Value *x) {
  return CreateBitCast(x, like(x, getFloatTy()));
}

/// 2^n of an integral float in [-127, 128]; 0 and infinity at the ends. `n` comes as n + kRound,
/// whose low bits are n + 127.
Value *Code::powerOfTwo(Value *n) {
  return asFloat(CreateShl(asInt(n), splatInt(n, 23)));
}

/// Highest coefficient first. Horner's rule: the other parts of a panel fill its waits, and it asks
/// for the fewest instructions and registers.
Value *Code::polynomial(Value *x, ArrayRef<float> coefficients) {
  Value *sum = splat(x, coefficients.front());
  for (float coefficient : coefficients.drop_front())
    sum = multiplyAdd(sum, x, splat(x, coefficient));
  return sum;
}

/// A float of this size has no fraction, so adding it rounds. 3 * 2^22, and the bias of exponents.
constexpr float kRound = 12582912.0f + 127;

/// p, highest coefficient first, less its last one, which is 1.
constexpr std::array<float, 6> kPower = {1.535336188e-4f, 1.339887440e-3f, 9.618437358e-3f,
                                         5.550332471e-2f, 2.402264791e-1f, 6.931472029e-1f};

Value *Code::scaledPower(Value *whole, Value *fraction) {
  Value *power = multiplyAdd(polynomial(fraction, kPower), fraction, splat(fraction, 1.0f));
  return CreateFMul(power, powerOfTwo(whole));
}

/// f = x - floor(x) and p(f) 2^floor(x): 8 instructions in place of 13.
Value *Code::exp2OfAvx512(Value *x, ArrayRef<float> power) {
  Value *all = getInt16(0xFFFF);
  Value *fraction = CreateIntrinsic(Intrinsic::x86_avx512_mask_reduce_ps_512,
                                    {x, getInt32(1), x, all, getInt32(4)}); // down
  return CreateIntrinsic(Intrinsic::x86_avx512_mask_scalef_ps_512,
                         {polynomial(fraction, power), x, x, all, getInt32(4)});
}

bool Code::hasAvx512(Value *x) {
  auto *vector = dyn_cast<FixedVectorType>(x->getType());
  return level.vector == 16 && !level.emulated && vector && vector->getNumElements() == 16;
}

Value *Code::exp2(Value *x) {
  if (hasAvx512(x))
    return exp2OfAvx512(x, {2.1612915e-4f, 1.24678464e-3f, 9.67545157e-3f, 5.54852806e-2f,
                            2.40229306e-1f, 6.93147044e-1f, 1.0f});
  // The constant first, so that a NaN is kept.
  Value *low = splat(x, -127.0f), *high = splat(x, 128.0f);
  x = CreateSelect(CreateFCmpOGT(low, x), low, x);
  x = CreateSelect(CreateFCmpOLT(high, x), high, x);
  Value *whole = CreateFAdd(x, splat(x, kRound));
  return scaledPower(whole, CreateFSub(x, CreateFSub(whole, splat(x, kRound))));
}

/// Most of an online softmax's work beside its products, so p is of degree 5, where one FMA rounds
/// once: 1.80 ulp off at most, and 1.91 in the form of AVX-512. It is written in y = b - a, whose
/// subtraction loads a: 2^-y = 2^-n p(f), f = n - y. Without infinity at the upper end 2^-n need
/// not be the last factor: (p(f) - 1) / f (f 2^-n) + 2^-n waits less, and has no use for a register
/// of ones. The parts take their steps in turn, so that fewer instructions wait for the one before
/// them.
LaneVectors Code::exp2OfDecay(ArrayRef<Value *> a, ArrayRef<Value *> b) {
  auto each = [&](auto value) {
    LaneVectors parts;
    for (size_t i = 0; i < a.size(); ++i)
      parts.push_back(value(i));
    return parts;
  };
  if (hasAvx512(a[0]))
    return each([&](size_t i) {
      return exp2OfAvx512(CreateFSub(a[i], b[i]),
                          {1.885318721e-3f, 8.973331612e-3f, 5.583596232e-2f, 2.401527972e-1f,
                           6.931524724e-1f, 1.0f});
    });
  constexpr std::array<float, 5> shorter = {1.32257105e-3f, 9.671770196e-3f, 5.55089152e-2f,
                                            2.402223692e-1f, 6.931468291e-1f};
  auto constant = [&](float value) { return held(splat(a[0], value)); };
  Value *most = constant(127.0f), *round = constant(kRound);
  LaneVectors y = each([&](size_t i) { return CreateFSub(b[i], a[i]); });
  y = each([&](size_t i) { return CreateSelect(CreateFCmpOLT(most, y[i]), most, y[i]); });
  LaneVectors whole =
      each([&](size_t i) { return CreateFSub(round, y[i]); }); // -n, as powerOfTwo asks
  LaneVectors f = each([&](size_t i) { return CreateFSub(round, whole[i]); });
  f = each([&](size_t i) { return CreateFSub(f[i], y[i]); });
  LaneVectors scale = each([&](size_t i) { return powerOfTwo(whole[i]); });
  ArrayRef<float> power = level.fma ? ArrayRef<float>(shorter) : ArrayRef<float>(kPower);
  Value *highest = constant(power.front());
  LaneVectors sum = each([&](size_t) { return highest; });
  for (float coefficient : power.drop_front()) {
    Value *next = constant(coefficient);
    sum = each([&](size_t i) { return multiplyAdd(sum[i], f[i], next); });
  }
  f = each([&](size_t i) { return CreateFMul(f[i], scale[i]); });
  return each([&](size_t i) { return multiplyAdd(sum[i], f[i], scale[i]); });
}

Value *Code::exp(Value *x) {
  constexpr float log2e = 1.44269502f;
  Value *low = splat(x, -88.1f), *high = splat(x, 88.73f);
  x = CreateSelect(CreateFCmpOGT(low, x), low, x);
  x = CreateSelect(CreateFCmpOLT(high, x), high, x);
  Value *whole = multiplyAdd(x, splat(x, log2e), splat(x, kRound));
  Value *n = CreateFSub(whole, splat(x, kRound));
  // n ln 2 in two parts, whose first product is exact.
  Value *rest = multiplyAdd(n, splat(x, -0.693359375f), x);
  rest = multiplyAdd(n, splat(x, 2.12194440e-4f), rest);
  return scaledPower(whole, CreateFMul(rest, splat(x, log2e)));
}

Value *Code::log(Value *x) {
  // Subnormal numbers are brought up by 2^23.
  Value *tiny = CreateFCmpOLT(x, splat(x, 0x1p-126f));
  Value *normal = CreateSelect(tiny, CreateFMul(x, splat(x, 0x1p23f)), x);
  Value *bits = asInt(normal);
  // m in [sqrt(1/2), sqrt(2)): the exponent steps up at sqrt(2).
  Value *moved = CreateSub(bits, splatInt(x, 0x3F3504F3));
  Value *exponent = CreateAShr(moved, splatInt(x, 23));
  Value *m = asFloat(CreateSub(bits, CreateShl(exponent, splatInt(x, 23))));
  Value *e = CreateSIToFP(exponent, like(x, getFloatTy()));
  e = CreateFSub(e, CreateSelect(tiny, splat(x, 23.0f), splat(x, 0.0f)));
  Value *f = CreateFSub(m, splat(x, 1.0f)), *square = CreateFMul(f, f);
  constexpr std::array<float, 9> cephes = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                           -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                           2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  Value *tail = CreateFMul(CreateFMul(polynomial(f, cephes), f), square);
  tail = multiplyAdd(e, splat(x, -2.12194440e-4f), tail);
  tail = multiplyAdd(square, splat(x, -0.5f), tail);
  Value *result = multiplyAdd(e, splat(x, 0.693359375f), CreateFAdd(f, tail));
  constexpr float infinity = std::numeric_limits<float>::infinity();
  // Infinity and NaN stay what they are.
  result = CreateSelect(CreateFCmpULE(splat(x, infinity), x), x, result);
  result = CreateSelect(CreateFCmpOEQ(x, splat(x, 0.0f)), splat(x, -infinity), result);
  return CreateSelect(CreateFCmpOLT(x, splat(x, 0.0f)),
                      splat(x, std::numeric_limits<float>::quiet_NaN()), result);
}

Value *Code::roundToBf16(Value *x) {
  Value *bits = asInt(x);
  Value *odd = CreateAnd(CreateLShr(bits, splatInt(x, 16)), splatInt(x, 1));
  Value *rounded = CreateAdd(CreateAdd(bits, splatInt(x, 0x7FFF)), odd);
  rounded = asFloat(CreateAnd(rounded, splatInt(x, 0xFFFF0000)));
  return CreateSelect(CreateFCmpUNO(x, x), splat(x, std::numeric_limits<float>::quiet_NaN()),
                      rounded);
}
Value *Code::bf16Bits(Value *x) {
  return CreateTrunc(CreateLShr(asInt(x), splatInt(x, 16)), like(x, getInt16Ty()));
}
Value *Code::fromBf16(Value *bits) {
  Value *word = CreateZExt(bits, like(bits, getInt32Ty()));
  return asFloat(CreateShl(word, splatInt(bits, 16)));
}

Value *Code::multiplyPairs(Value *a, Value *b, Value *sum) {
  if (!level.emulated) {
    Type *halves = vectorOf(getBFloatTy(), 2 * level.vector);
    return CreateIntrinsic(Intrinsic::x86_avx512bf16_dpbf16ps_512,
                           {sum, CreateBitCast(a, halves), CreateBitCast(b, halves)});
  }
  auto low = [&](Value *pair) { return asFloat(CreateShl(pair, splatInt(pair, 16))); };
  auto high = [&](Value *pair) { return asFloat(CreateAnd(pair, splatInt(pair, 0xFFFF0000))); };
  return multiplyAdd(low(a), low(b), multiplyAdd(high(a), high(b), sum));
}

Value *Code::packPairs(Value *low, Value *high) {
  if (level.emulated) {
    Value *first = CreateLShr(asInt(roundToBf16(low)), splatInt(low, 16));
    return CreateOr(first, asInt(roundToBf16(high)));
  }
  Value *halves = CreateIntrinsic(Intrinsic::x86_avx512bf16_cvtne2ps2bf16_512, {high, low});
  SmallVector<int> order; // low's lanes come first
  for (int lane = 0; lane < level.vector; ++lane)
    order.append({lane, lane + level.vector});
  return CreateBitCast(CreateShuffleVector(halves, order), vectorOf(getInt32Ty(), level.vector));
}

Value *Code::roundToF16(Value *x) {
  return fromF16(f16Bits(x));
}

/// Runtime's floatToF16 (Float16.h), in vectors.
Value *Code::f16Bits(Value *x) {
  if (level.f16)
    return CreateBitCast(CreateFPTrunc(x, like(x, getHalfTy())), like(x, getInt16Ty()));
  Value *bits = asInt(x);
  Value *sign = CreateAnd(CreateLShr(bits, splatInt(x, 16)), splatInt(x, 0x8000));
  Value *magnitude = CreateAnd(bits, splatInt(x, 0x7FFFFFFF));
  Value *odd = CreateAnd(CreateLShr(magnitude, splatInt(x, 13)), splatInt(x, 1));
  Value *normal = CreateLShr(CreateAdd(CreateAdd(magnitude, splatInt(x, 0xFFF - 0x38000000u)), odd),
                             splatInt(x, 13));
  Value *shifted = CreateFAdd(asFloat(magnitude), splat(x, 0.5f));
  Value *small = CreateSub(asInt(shifted), splatInt(x, 0x3F000000));
  Value *result = CreateSelect(CreateICmpULT(magnitude, splatInt(x, 0x38800000)), small, normal);
  result =
      CreateSelect(CreateICmpUGE(magnitude, splatInt(x, 0x477FF000)), splatInt(x, 0x7C00), result);
  result =
      CreateSelect(CreateICmpUGT(magnitude, splatInt(x, 0x7F800000)), splatInt(x, 0x7E00), result);
  return CreateTrunc(CreateOr(sign, result), like(x, getInt16Ty()));
}

Value *Code::fromF16(Value *bits) {
  if (level.f16)
    return CreateFPExt(CreateBitCast(bits, like(bits, getHalfTy())), like(bits, getFloatTy()));
  Value *word = CreateZExt(bits, like(bits, getInt32Ty()));
  Value *sign = CreateShl(CreateAnd(word, splatInt(bits, 0x8000)), splatInt(bits, 16));
  Value *magnitude = CreateAnd(word, splatInt(bits, 0x7FFF));
  // The exponent's bias by a product that also takes subnormal numbers; infinity and NaN apart.
  Value *scaled =
      CreateFMul(asFloat(CreateShl(magnitude, splatInt(bits, 13))), splat(bits, 0x1p112f));
  Value *special = CreateOr(CreateShl(magnitude, splatInt(bits, 13)), splatInt(bits, 0x7F800000));
  Value *result =
      CreateSelect(CreateICmpUGE(magnitude, splatInt(bits, 0x7C00)), special, asInt(scaled));
  return asFloat(CreateOr(result, sign));
}

} // namespace sparsec::cpu
