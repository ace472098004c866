// Integer instructions against C++, on random and edge operands.
#include "tests/runtime/sim/InstructionHarness.h"

namespace sparsec::test {

namespace {

template <class Reference>
void r(const std::string &line, Reference reference) {
  checkInstruction(line, Result3::R, Values::Bits,
                   [&](Operands x) { return uint32_t(reference(x)); });
}
template <class Reference>
void d(const std::string &line, Reference reference) {
  checkInstruction(line, Result3::D, Values::Bits,
                   [&](Operands x) { return uint64_t(reference(x)); });
}
template <class Reference>
void h(const std::string &line, Reference reference) {
  checkInstruction(line, Result3::H, Values::Bits,
                   [&](Operands x) { return uint16_t(reference(x)); });
}
template <class Reference>
void p(const std::string &line, Reference reference) {
  checkInstruction(line, Result3::P, Values::Bits, [&](Operands x) { return bool(reference(x)); });
}

__int128 wide(int64_t v) {
  return v;
}
unsigned __int128 wide(uint64_t v) {
  return v;
}

TEST(SimInteger, AddsAndMultiplies) {
  r("add.s32 %r3, %r0, %r1;", [](Operands x) { return x.u(0) + x.u(1); });
  d("add.s64 %d3, %d0, %d1;", [](Operands x) { return x.a + x.b; });
  h("add.u16 %h3, %h0, %h1;", [](Operands x) { return x.a + x.b; });
  r("sub.u32 %r3, %r0, %r1;", [](Operands x) { return x.u(0) - x.u(1); });
  r("sub.u32 %r3, %r0, -5;", [](Operands x) { return x.u(0) + 5; });
  r("add.sat.s32 %r3, %r0, %r1;",
    [](Operands x) { return std::clamp<int64_t>(int64_t(x.s(0)) + x.s(1), INT32_MIN, INT32_MAX); });
  r("mul.lo.s32 %r3, %r0, %r1;", [](Operands x) { return x.u(0) * x.u(1); });
  h("mul.lo.s16 %h3, %h0, %h1;", [](Operands x) { return x.u(0) * x.u(1); });
  r("mul.hi.s32 %r3, %r0, %r1;", [](Operands x) { return int64_t(x.s(0)) * x.s(1) >> 32; });
  r("mul.hi.u32 %r3, %r0, %r1;", [](Operands x) { return uint64_t(x.u(0)) * x.u(1) >> 32; });
  d("mul.hi.s64 %d3, %d0, %d1;", [](Operands x) { return wide(x.sl(0)) * x.sl(1) >> 64; });
  d("mul.hi.u64 %d3, %d0, %d1;", [](Operands x) { return wide(x.a) * x.b >> 64; });
  d("mul.wide.s32 %d3, %r0, %r1;", [](Operands x) { return int64_t(x.s(0)) * x.s(1); });
  d("mul.wide.u32 %d3, %r0, %r1;", [](Operands x) { return uint64_t(x.u(0)) * x.u(1); });
  r("mul.wide.s16 %r3, %h0, %h1;", [](Operands x) { return int16_t(x.h(0)) * int16_t(x.h(1)); });
  r("mad.lo.u32 %r3, %r0, %r1, %r2;", [](Operands x) { return x.u(0) * x.u(1) + x.u(2); });
  d("mad.wide.u32 %d3, %r0, %r1, %d2;", [](Operands x) { return uint64_t(x.u(0)) * x.u(1) + x.c; });
  r("mad.hi.s32 %r3, %r0, %r1, %r2;",
    [](Operands x) { return uint32_t(int64_t(x.s(0)) * x.s(1) >> 32) + x.u(2); });
  r("mul24.lo.s32 %r3, %r0, %r1;",
    [](Operands x) { return int64_t(int32_t(x.u(0) << 8) >> 8) * (int32_t(x.u(1) << 8) >> 8); });
  r("mad24.lo.u32 %r3, %r0, %r1, %r2;",
    [](Operands x) { return (x.a & 0xffffff) * (x.b & 0xffffff) + x.u(2); });
}

TEST(SimInteger, CarriesAcrossWords) {
  // A 96-bit sum and difference, in three words of 32.
  r("add.cc.u32 %r30, %r0, %r1;\naddc.cc.u32 %r31, %r1, %r2;\naddc.u32 %r3, %r0, %r2;",
    [](Operands x) {
      uint64_t low = uint64_t(x.u(0)) + x.u(1), middle = uint64_t(x.u(1)) + x.u(2) + (low >> 32);
      return x.u(0) + x.u(2) + uint32_t(middle >> 32);
    });
  r("sub.cc.u32 %r30, %r0, %r1;\nsubc.u32 %r3, %r1, %r2;",
    [](Operands x) { return x.u(1) - x.u(2) - (x.u(0) < x.u(1)); });
  r("mad.lo.cc.u32 %r30, %r0, %r1, %r2;\nmadc.hi.u32 %r3, %r0, %r1, %r2;", [](Operands x) {
    uint64_t product = uint64_t(x.u(0)) * x.u(1);
    bool carry = uint64_t(uint32_t(product)) + x.u(2) > UINT32_MAX;
    return uint32_t(product >> 32) + x.u(2) + carry;
  });
  d("add.cc.u64 %d30, %d0, %d1;\naddc.u64 %d3, %d0, 0;",
    [](Operands x) { return x.a + (x.a + x.b < x.a); });
}

TEST(SimInteger, DividesAndCompares) {
  r("div.s32 %r3, %r0, %r1;",
    [](Operands x) -> int64_t { return x.s(1) == 0 ? -1 : int64_t(x.s(0)) / x.s(1); });
  r("div.u32 %r3, %r0, %r1;", [](Operands x) { return x.u(1) ? x.u(0) / x.u(1) : ~0u; });
  r("rem.s32 %r3, %r0, %r1;",
    [](Operands x) -> int64_t { return x.s(1) == 0 ? -1 : int64_t(x.s(0)) % x.s(1); });
  d("div.u64 %d3, %d0, %d1;", [](Operands x) { return x.b ? x.a / x.b : ~uint64_t(0); });
  d("rem.s64 %d3, %d0, %d1;", [](Operands x) -> int64_t {
    return x.b == 0 ? -1 : x.sl(1) == -1 ? 0 : x.sl(0) % x.sl(1);
  });
  r("min.s32 %r3, %r0, %r1;", [](Operands x) { return std::min(x.s(0), x.s(1)); });
  r("max.u32 %r3, %r0, %r1;", [](Operands x) { return std::max(x.u(0), x.u(1)); });
  d("max.s64 %d3, %d0, %d1;", [](Operands x) { return std::max(x.sl(0), x.sl(1)); });
  h("min.s16 %h3, %h0, %h1;",
    [](Operands x) { return std::min(int16_t(x.h(0)), int16_t(x.h(1))); });
  r("abs.s32 %r3, %r0;", [](Operands x) { return x.s(0) < 0 ? 0 - x.u(0) : x.u(0); });
  r("neg.s32 %r3, %r0;", [](Operands x) { return 0 - x.u(0); });
  r("sad.s32 %r3, %r0, %r1, %r2;",
    [](Operands x) { return std::abs(int64_t(x.s(0)) - x.s(1)) + x.u(2); });
  r("sad.u32 %r3, %r0, %r1, %r2;",
    [](Operands x) { return std::max(x.u(0), x.u(1)) - std::min(x.u(0), x.u(1)) + x.u(2); });
  p("setp.lt.s32 %p3, %r0, %r1;", [](Operands x) { return x.s(0) < x.s(1); });
  p("setp.hi.u32 %p3, %r0, %r1;", [](Operands x) { return x.u(0) > x.u(1); });
  p("setp.ge.s64 %p3, %d0, %d1;", [](Operands x) { return x.sl(0) >= x.sl(1); });
  p("setp.eq.b16 %p3, %h0, %h1;", [](Operands x) { return x.h(0) == x.h(1); });
  p("setp.lt.and.s32 %p3, %r0, %r2, %p1;",
    [](Operands x) { return x.s(0) < x.s(2) && x.u(1) != 0; });
  p("setp.lt.xor.s32 %p4|%p3, %r0, %r2, !%p1;",
    [](Operands x) { return (x.s(0) >= x.s(2)) != (x.u(1) == 0); });
  r("set.gt.u32.s32 %r3, %r0, %r1;", [](Operands x) { return x.s(0) > x.s(1) ? ~0u : 0u; });
  r("selp.b32 %r3, %r0, %r2, %p1;", [](Operands x) { return x.u(1) ? x.u(0) : x.u(2); });
  r("slct.u32.s32 %r3, %r0, %r1, %r2;", [](Operands x) { return x.s(2) >= 0 ? x.u(0) : x.u(1); });
}

TEST(SimInteger, HandlesBits) {
  r("and.b32 %r3, %r0, %r1;", [](Operands x) { return x.a & x.b; });
  d("xor.b64 %d3, %d0, %d1;", [](Operands x) { return x.a ^ x.b; });
  r("not.b32 %r3, %r0;", [](Operands x) { return ~x.a; });
  r("cnot.b32 %r3, %r0;", [](Operands x) { return x.u(0) == 0; });
  r("shl.b32 %r3, %r0, %r1;", [](Operands x) { return x.u(1) < 32 ? x.u(0) << x.u(1) : 0; });
  d("shl.b64 %d3, %d0, %r1;", [](Operands x) { return x.u(1) < 64 ? x.a << x.u(1) : 0; });
  r("shr.s32 %r3, %r0, %r1;", [](Operands x) { return x.s(0) >> std::min(x.u(1), 31u); });
  r("shr.u32 %r3, %r0, %r1;", [](Operands x) { return x.u(1) < 32 ? x.u(0) >> x.u(1) : 0; });
  d("shr.s64 %d3, %d0, %r1;", [](Operands x) { return x.sl(0) >> std::min(x.u(1), 63u); });
  h("shr.s16 %h3, %h0, %r1;", [](Operands x) { return int16_t(x.h(0)) >> std::min(x.u(1), 15u); });
  r("shf.l.wrap.b32 %r3, %r0, %r1, %r2;",
    [](Operands x) { return (x.b << 32 | x.u(0)) << (x.c & 31) >> 32; });
  r("shf.r.clamp.b32 %r3, %r0, %r1, %r2;",
    [](Operands x) { return (uint64_t(x.u(1)) << 32 | x.u(0)) >> std::min(x.u(2), 32u); });
  r("lop3.b32 %r3, %r0, %r1, %r2, 0xE8;",
    [](Operands x) { return (x.a & x.b) | (x.a & x.c) | (x.b & x.c); });
  r("lop3.b32 %r3, %r0, %r1, %r2, 0x40;", [](Operands x) { return x.a & x.b & ~x.c; });
  r("prmt.b32 %r3, %r0, %r1, 0x7531;", [](Operands x) {
    return (x.a >> 8 & 0xff) | (x.a >> 24 & 0xff) << 8 | (x.b >> 8 & 0xff) << 16 |
           (x.b >> 24 & 0xff) << 24;
  });
  r("prmt.b32 %r3, %r0, %r1, 0xBA98;", [](Operands x) {
    uint32_t result = 0; // the signs of a's bytes, replicated
    for (int i = 0; i < 4; ++i)
      result |= (x.a >> (8 * i + 7) & 1) ? 0xffu << 8 * i : 0;
    return result;
  });
  r("bfe.u32 %r3, %r0, 5, 9;", [](Operands x) { return x.u(0) >> 5 & 0x1ff; });
  r("bfe.s32 %r3, %r0, 28, 9;", [](Operands x) { return x.s(0) >> 28; });
  d("bfe.u64 %d3, %d0, 33, 40;", [](Operands x) { return x.a >> 33; });
  r("bfi.b32 %r3, %r0, %r1, 7, 11;",
    [](Operands x) { return (x.b & ~(0x7ffull << 7)) | (x.a & 0x7ff) << 7; });
  r("brev.b32 %r3, %r0;", [](Operands x) {
    uint32_t result = 0;
    for (int i = 0; i < 32; ++i)
      result |= (x.u(0) >> i & 1) << (31 - i);
    return result;
  });
  r("clz.b32 %r3, %r0;", [](Operands x) { return x.u(0) ? __builtin_clz(x.u(0)) : 32; });
  r("clz.b64 %r3, %d0;", [](Operands x) { return x.a ? __builtin_clzll(x.a) : 64; });
  r("popc.b64 %r3, %d0;", [](Operands x) { return __builtin_popcountll(x.a); });
  r("bfind.u32 %r3, %r0;", [](Operands x) { return x.u(0) ? 31 - __builtin_clz(x.u(0)) : -1; });
  r("bfind.shiftamt.u32 %r3, %r0;", [](Operands x) { return x.u(0) ? __builtin_clz(x.u(0)) : -1; });
  r("bfind.s32 %r3, %r0;", [](Operands x) {
    uint32_t magnitude = x.s(0) < 0 ? ~x.u(0) : x.u(0);
    return magnitude ? 31 - __builtin_clz(magnitude) : -1;
  });
  r("dp4a.s32.u32 %r3, %r0, %r1, %r2;", [](Operands x) {
    uint32_t sum = x.u(2);
    for (int i = 0; i < 4; ++i)
      sum += int8_t(x.a >> 8 * i) * int(uint8_t(x.b >> 8 * i));
    return sum;
  });
  r("dp2a.hi.u32.s32 %r3, %r0, %r1, %r2;", [](Operands x) {
    return x.u(2) + (x.a & 0xffff) * int8_t(x.b >> 16) + (x.a >> 16 & 0xffff) * int8_t(x.b >> 24);
  });
}

TEST(SimInteger, MovesAndPacks) {
  d("mov.b64 %d3, {%r1, %r0};", [](Operands x) { return x.a << 32 | x.u(1); });
  r("mov.b32 %r3, {%h1, %h0};", [](Operands x) { return uint32_t(x.h(0)) << 16 | x.h(1); });
  r("mov.b64 {_, %r3}, %d0;", [](Operands x) { return x.a >> 32; });
  d("mov.b64 %d3, {%h0, %h1, %h2, %h0};", [](Operands x) {
    return x.h(0) | uint64_t(x.h(1)) << 16 | uint64_t(x.h(2)) << 32 | uint64_t(x.h(0)) << 48;
  });
  h("mov.b64 {%h4, %h5, %h3, %h6}, %d1;", [](Operands x) { return x.b >> 32; });
  r("mov.u32 %r3, 0x1234;", [](Operands x) { return 0x1234; });
  p("not.pred %p3, %p1;", [](Operands x) { return x.u(1) == 0; });
  p("setp.eq.u32 %p4, %r0, 0;\nor.pred %p3, %p4, %p1;",
    [](Operands x) { return x.u(0) == 0 || x.u(1) != 0; });
  r("mov.u32 %r3, 7;\n@%p1 mov.u32 %r3, %r0;", [](Operands x) { return x.u(1) ? x.u(0) : 7; });
  r("mov.u32 %r3, 7;\n@!%p1 mov.u32 %r3, %r0;", [](Operands x) { return x.u(1) ? 7 : x.u(0); });
}

} // namespace

} // namespace sparsec::test
