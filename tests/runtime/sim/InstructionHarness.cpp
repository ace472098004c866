#include "tests/runtime/sim/InstructionHarness.h"

#include "tests/runtime/sim/SimRun.h"

#include <cmath>
#include <fmt/core.h>
#include <random>

namespace sparsec::test {

namespace {

/// Long: a case for each kind of operand.
std::vector<uint64_t> operandValues(Values values, uint32_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::vector<uint64_t> special;
  switch (values) {
  case Values::Bits:
    special = {0,
               1,
               2,
               31,
               32,
               33,
               63,
               64,
               0x7f,
               0x80,
               0xff,
               0x7fff,
               0x8000,
               0xffff,
               0x7fffffff,
               0x80000000,
               0xffffffff,
               0x100000000,
               0x7fffffffffffffff,
               0x8000000000000000,
               0xffffffffffffffff};
    break;
  case Values::Floats:
    special = {0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x00800000, 0x3f800000,
               0xbf800000, 0x3f000000, 0x40200000, 0xc0200000, 0x4b000001, 0x4effffff, 0x4f000000,
               0x4f800000, 0xcf000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
               0x7f800001, 0x5f000000, 0x3f7fffff, 0x3e800000, 0x42fe0000, 0xc3150000};
    break;
  case Values::Doubles:
    for (double v :
         {0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 1e300, -1e300, 1e-310, 4294967295.5, -2147483648.5,
          1.7976931348623157e308, HUGE_VAL, -HUGE_VAL, 9.3e18, 1.9e19, 3.4028236e38})
      special.push_back(__builtin_bit_cast(uint64_t, v));
    break;
  case Values::Halves:
    special = {0,      0x8000, 1,      0x8001, 0x3ff,  0x400, 0x3c00,
               0xbc00, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00};
    break;
  case Values::Bfloats:
    special = {0, 0x8000, 1, 0x7f, 0x80, 0x3f80, 0xbf80, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0};
    break;
  }
  std::vector<uint64_t> all(count);
  for (size_t i = 0; i < count; ++i) {
    uint64_t kind = random() % 4;
    if (kind == 0)
      all[i] = special[random() % special.size()];
    else if (values == Values::Bits)
      all[i] = random() >> random() % 64;
    else if (values == Values::Floats && kind == 1) // of middling size
      all[i] = __builtin_bit_cast(uint32_t, float(int64_t(random() % 2000001) - 1000000) / 512);
    else if (values == Values::Doubles && kind < 3)
      all[i] =
          __builtin_bit_cast(uint64_t, double(int64_t(random())) / double(1 + random() % 100000));
    else
      all[i] = random();
  }
  return all;
}

} // namespace

void checkInstruction(const std::string &line, Result3 result, Values values,
                      const std::function<uint64_t(Operands)> &reference, double relativeError) {
  SCOPED_TRACE(line);
  constexpr size_t count = 512;
  Runner runner;
  // Every pair of early special values meets: the three streams have different lengths of period.
  std::vector<uint64_t> a = operandValues(values, 1, count), b = operandValues(values, 2, count),
                        c = operandValues(values, 3, count);
  std::string text;
  for (int i = 0; i < 3; ++i)
    text += fmt::format("ld.global.u64 %d{0}, [%d{1}];\nmov.b64 {{%r{0}, %r9}}, %d{0};\n"
                        "mov.b32 {{%h{0}, %h9}}, %r{0};\nmov.b32 %f{0}, %r{0};\n"
                        "mov.b64 %fd{0}, %d{0};\n",
                        i, 10 + i);
  std::string store = result == Result3::R    ? "cvt.u64.u32 %d3, %r3;"
                      : result == Result3::H  ? "cvt.u64.u16 %d3, %h3;"
                      : result == Result3::F  ? "mov.b32 %r3, %f3;\ncvt.u64.u32 %d3, %r3;"
                      : result == Result3::FD ? "mov.b64 %d3, %fd3;"
                      : result == Result3::P  ? "selp.u64 %d3, 1, 0, %p3;"
                                              : "";
  std::string ptx = kernelText(
      "mov.u32 %r20, %tid.x;\nmov.u32 %r21, %ctaid.x;\nmad.lo.u32 %r20, %r21, 128, %r20;\n"
      "mul.wide.u32 %d20, %r20, 8;\n"
      "ld.param.u64 %d10, [a];\nld.param.u64 %d11, [b];\nld.param.u64 %d12, [c];\n"
      "ld.param.u64 %d13, [out];\n"
      "add.s64 %d10, %d10, %d20;\nadd.s64 %d11, %d11, %d20;\nadd.s64 %d12, %d12, %d20;\n"
      "add.s64 %d13, %d13, %d20;\n" +
          text + "setp.ne.u32 %p1, %r1, 0;\n" + line + "\n" + store +
          "\nst.global.u64 [%d13], %d3;",
      ".param .u64 a, .param .u64 b, .param .u64 c, .param .u64 out");
  DeviceAddress out = runner.allocate(count * 8);
  sparsec::Result<void> done =
      runner.run(ptx, {.grid = {count / 128, 1, 1}, .block = {128, 1, 1}}, runner.upload(a),
                 runner.upload(b), runner.upload(c), out);
  ASSERT_TRUE(done) << messageOf(done);
  std::vector<uint64_t> found = runner.download<uint64_t>(out, count);
  for (size_t i = 0; i < count; ++i) {
    uint64_t expected = reference(Operands{a[i], b[i], c[i]});
    if (expected == found[i])
      continue;
    if (relativeError > 0) {
      float x = __builtin_bit_cast(float, uint32_t(expected));
      float y = __builtin_bit_cast(float, uint32_t(found[i]));
      if (std::fabs(x - y) <= relativeError * std::fabs(x))
        continue;
    }
    FAIL() << fmt::format("({:#x}, {:#x}, {:#x}): expected {:#x}, found {:#x}", a[i], b[i], c[i],
                          expected, found[i]);
  }
}

} // namespace sparsec::test
