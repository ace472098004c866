// One instruction on many operands, against a function of C++.
//
//   checkInstruction("add.s32 %r3, %r0, %r1;", [](Operands x) { return x.a + x.b; });
//
// The operands are in %r0, %r1, %r2 (their low 32 bits), %h0.. (16), %d0.. (64), %f0.. and %fd0..
// (the same bits as floats); the result is taken from the register that the line writes, which must
// be number 3, and compared bit for bit.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sparsec::test {

struct Operands {
  uint64_t a, b, c;
  int32_t s(int i) const { return int32_t(i == 0 ? a : i == 1 ? b : c); }
  uint32_t u(int i) const { return uint32_t(i == 0 ? a : i == 1 ? b : c); }
  int64_t sl(int i) const { return int64_t(i == 0 ? a : i == 1 ? b : c); }
  uint64_t ul(int i) const { return i == 0 ? a : i == 1 ? b : c; }
  float f(int i) const { return __builtin_bit_cast(float, u(i)); }
  double d(int i) const { return __builtin_bit_cast(double, ul(i)); }
  uint16_t h(int i) const { return uint16_t(ul(i)); }
};

/// Which register 3 the instruction writes.
enum class Result3 { R, H, D, F, FD, P };

/// What operands look like: any bits, or bits that are often special floats.
enum class Values { Bits, Floats, Doubles, Halves, Bfloats };

/// One function for all of them: a template of it would be compiled some hundreds of times.
void checkInstruction(const std::string &line, Result3 result, Values values,
                      const std::function<uint64_t(Operands)> &reference, double relativeError = 0);

} // namespace sparsec::test
