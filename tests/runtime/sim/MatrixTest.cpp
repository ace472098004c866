// mma, ldmatrix and stmatrix against products and copies written in C++ without a lane map: the
// matrices go through shared memory in plain row-major order. And: a mistake in the simulator's own
// maps, waits and barriers makes these tests fail.
#include "tests/runtime/sim/SimRun.h"

#include <fmt/core.h>

#include <cmath>
#include <random>

namespace sparsec::test {

namespace {

uint16_t toBits(float value, bool bf16) {
  // Small whole numbers: exact in both formats.
  if (bf16)
    return uint16_t(__builtin_bit_cast(uint32_t, value) >> 16);
  if (value == 0)
    return 0;
  uint32_t bits = __builtin_bit_cast(uint32_t, value);
  return uint16_t((bits >> 16 & 0x8000) | (((bits >> 23 & 0xff) - 112) << 10) |
                  (bits >> 13 & 0x3ff));
}

/// C[16][8] = A[16][K] B[8][K]^T by one warp: cp.async, wait, barrier, ldmatrix, mma. A is 16 rows
/// of K, B 8 rows of K (its transpose in memory), both of 16-bit floats; C of f32.
std::string productKernel(int k, const char *type) {
  int regsA = k / 4, chunks = k / 8; // 16-byte chunks of a row
  std::string a, b, loads;
  for (int i = 0; i < regsA; ++i)
    a += fmt::format("{}%r{}", i ? ", " : "", 20 + i);
  for (int i = 0; i < regsA / 2; ++i)
    b += fmt::format("{}%r{}", i ? ", " : "", 30 + i);
  int bytes = k * 2;
  for (int chunk = 0; chunk < chunks; ++chunk)
    loads += fmt::format(
        "mad.lo.u32 %r5, %r0, {0}, {1}; cvt.u64.u32 %d5, %r5;\n"
        "and.b32 %r7, %r0, 15; mad.lo.u32 %r5, %r7, {0}, {1}; cvt.u64.u32 %d5, %r5;\n"
        "add.s64 %d6, %d1, %d5; add.s32 %r6, %r1, %r5;\n"
        "@%p1 cp.async.cg.shared.global [%r6], [%d6], 16;\n"
        "add.s64 %d6, %d2, %d5; @%p2 cp.async.cg.shared.global [%r6+1024], [%d6], 16;\n",
        bytes, chunk * 16);
  // ldmatrix: lanes 0-7 rows 0-7, lanes 8-15 rows 8-15, lanes 16-31 the same, 8 columns further.
  std::string ldA = k == 16 ? "ldmatrix.sync.aligned.m8n8.x4.shared.b16"
                            : "ldmatrix.sync.aligned.m8n8.x2.shared.b16";
  std::string ldB = k == 16 ? "ldmatrix.sync.aligned.m8n8.x2.shared.b16"
                            : "ldmatrix.sync.aligned.m8n8.x1.shared.b16";
  return kernelText(fmt::format(R"(
mov.u32 %r0, %tid.x; mov.u32 %r1, s;
ld.param.u64 %d1, [a]; ld.param.u64 %d2, [b]; ld.param.u64 %d3, [c];
setp.lt.u32 %p1, %r0, 16; setp.lt.u32 %p2, %r0, 8;
{0}
cp.async.commit_group;
cp.async.wait_group 0;
bar.sync 0;
and.b32 %r8, %r0, 15; shr.u32 %r9, %r0, 4;
mad.lo.u32 %r10, %r8, {1}, %r1; mad.lo.u32 %r10, %r9, 16, %r10;
{2} {{{3}}}, [%r10];
and.b32 %r8, %r0, 7; shr.u32 %r9, %r0, 3; and.b32 %r9, %r9, 1;
mad.lo.u32 %r11, %r8, {1}, %r1; mad.lo.u32 %r11, %r9, 16, %r11;
{4} {{{5}}}, [%r11+1024];
mov.f32 %f0, 0f00000000; mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0f00000000; mov.f32 %f3, 0f00000000;
mma.sync.aligned.m16n8k{6}.row.col.f32.{7}.{7}.f32 {{%f0, %f1, %f2, %f3}}, {{{3}}}, {{{5}}}, {{%f0, %f0, %f2, %f3}};
shr.u32 %r12, %r0, 2; and.b32 %r13, %r0, 3;
mad.lo.u32 %r14, %r12, 8, 0; mad.lo.u32 %r14, %r13, 2, %r14; mul.wide.u32 %d7, %r14, 4;
add.s64 %d7, %d7, %d3;
st.global.v2.f32 [%d7], {{%f0, %f1}};
st.global.v2.f32 [%d7+256], {{%f2, %f3}};)",
                                loads, bytes, ldA, a, ldB, b, k, type),
                    ".param .u64 a, .param .u64 b, .param .u64 c",
                    ".shared .align 16 .b8 s[2048];\n");
}

/// "": right; else what is wrong.
std::string productOutcome(int k, bool bf16, SimOptions options = {}) {
  Runner runner(options);
  std::mt19937 random(k + bf16);
  std::vector<float> a(16 * k), b(8 * k);
  for (float &v : a)
    v = int(random() % 15) - 7;
  for (float &v : b)
    v = int(random() % 15) - 7;
  std::vector<uint16_t> ha, hb;
  for (float v : a)
    ha.push_back(toBits(v, bf16));
  for (float v : b)
    hb.push_back(toBits(v, bf16));
  DeviceAddress out = runner.allocate(16 * 8 * 4);
  Result<void> done = runner.run(productKernel(k, bf16 ? "bf16" : "f16"), {.block = {32, 1, 1}},
                                 runner.upload(ha), runner.upload(hb), out);
  if (!done)
    return done.error().message;
  std::vector<float> c = runner.download<float>(out, 128);
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      float expected = 0;
      for (int i = 0; i < k; ++i)
        expected += a[row * k + i] * b[column * k + i];
      if (c[row * 8 + column] != expected)
        return fmt::format("C[{}][{}]: expected {}, found {}", row, column, expected,
                           c[row * 8 + column]);
    }
  if (simReport(*runner.device).executed("mma.sync") != 1)
    return "counted another number of mma";
  return "";
}

TEST(SimMatrix, Multiplies) {
  for (int k : {16, 8})
    for (bool bf16 : {false, true})
      EXPECT_EQ(productOutcome(k, bf16), "") << k << (bf16 ? " bf16" : " f16");
}

TEST(SimMatrix, NoticesMistakesInTheSimulator) {
  for (SimFault fault :
       {SimFault::WrongMmaLaneMap, SimFault::WrongMmaOperandMap, SimFault::WrongLdmatrixMap,
        SimFault::DroppedAsyncWait, SimFault::DroppedBarrierOrder})
    EXPECT_NE(productOutcome(16, true, {.fault = fault}), "") << int(fault);
}

/// Rows of 8x8 matrices written by one warp, read as they are or transposed, stored back plainly.
std::vector<uint16_t> moved(const std::string &load, const std::string &store,
                            SimOptions options = {}) {
  Runner runner(options);
  std::vector<uint16_t> in(256);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = uint16_t(i * 7 + 1);
  DeviceAddress out = runner.allocate(512);
  std::string text = kernelText(
      "mov.u32 %r0, %tid.x; mov.u32 %r1, s; ld.param.u64 %d1, [a]; ld.param.u64 %d2, [b];\n"
      "mul.wide.u32 %d3, %r0, 16; add.s64 %d1, %d1, %d3; add.s64 %d2, %d2, %d3;\n"
      "mad.lo.u32 %r2, %r0, 16, %r1; ld.global.v4.u32 {%r3, %r4, %r5, %r6}, [%d1];\n"
      "st.shared.v4.u32 [%r2], {%r3, %r4, %r5, %r6}; bar.warp.sync -1;\n" +
          load + " {%r10, %r11, %r12, %r13}, [%r2];\nbar.warp.sync -1;\n" + store +
          "bar.warp.sync -1;\nld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [%r2];\n"
          "st.global.v4.u32 [%d2], {%r3, %r4, %r5, %r6};",
      ".param .u64 a, .param .u64 b", ".shared .align 16 .b8 s[512];\n");
  Result<void> done = runner.run(text, {.block = {32, 1, 1}}, runner.upload(in), out);
  EXPECT_TRUE(done) << messageOf(done);
  return runner.download<uint16_t>(out, 256);
}

/// Lane 4 r + c holds columns 2c and 2c + 1 of row r: to the row-major place by plain stores.
const std::string plainStore =
    "shr.u32 %r20, %r0, 2; and.b32 %r21, %r0, 3; mad.lo.u32 %r22, %r20, 16, %r1;\n"
    "mad.lo.u32 %r22, %r21, 4, %r22; st.shared.u32 [%r22], %r10; st.shared.u32 [%r22+128], %r11;\n"
    "st.shared.u32 [%r22+256], %r12; st.shared.u32 [%r22+384], %r13;\n";

uint16_t value(int matrix, int row, int column) {
  return uint16_t((matrix * 64 + row * 8 + column) * 7 + 1);
}

TEST(SimMatrix, LoadsAndStoresTiles) {
  std::vector<uint16_t> straight = moved("ldmatrix.sync.aligned.m8n8.x4.shared.b16", plainStore);
  std::vector<uint16_t> turned =
      moved("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", plainStore);
  std::vector<uint16_t> twice =
      moved("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16",
            "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%r2], {%r10, %r11, %r12, %r13};\n");
  std::vector<uint16_t> registers =
      moved("ldmatrix.sync.aligned.m8n8.x4.shared.b16",
            "movmatrix.sync.aligned.m8n8.trans.b16 %r10, %r10;\n" + plainStore);
  for (int m = 0; m < 4; ++m)
    for (int row = 0; row < 8; ++row)
      for (int column = 0; column < 8; ++column) {
        size_t at = m * 64 + row * 8 + column;
        EXPECT_EQ(straight[at], value(m, row, column));
        EXPECT_EQ(turned[at], value(m, column, row));
        EXPECT_EQ(twice[at], value(m, row, column));
        EXPECT_EQ(registers[at], m == 0 ? value(m, column, row) : value(m, row, column));
      }
  EXPECT_NE(moved("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", plainStore,
                  {.fault = SimFault::WrongLdmatrixTrans}),
            turned);
}

TEST(SimMatrix, NeedsAllLanes) {
  Runner runner;
  std::string text =
      kernelText("mov.u32 %r0, %tid.x; setp.lt.u32 %p1, %r0, 31; @!%p1 bra END;\n"
                 "mov.u32 %r1, s; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r2}, [%r1];\nEND:",
                 "", ".shared .align 16 .b8 s[512];\n");
  Result<void> done = runner.run(text, {.block = {32, 1, 1}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message,
            "ldmatrix.sync.aligned.m8n8.x1.shared.b16: executed by 31 of 32 lanes: "
            "not by this one, thread (31,0,0) of block (0,0,0)");
}

} // namespace

} // namespace sparsec::test
