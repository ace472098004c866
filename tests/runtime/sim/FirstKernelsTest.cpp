// Whole small kernels: a guard against the simulator as a whole being broken.
#include "tests/runtime/sim/SimRun.h"

namespace sparsec::test {

namespace {

TEST(Sim, AddsVectors) {
  Runner runner;
  std::vector<int32_t> x(100), y(100);
  for (int i = 0; i < 100; ++i)
    x[i] = i * i, y[i] = 7 - i;
  DeviceAddress dx = runner.upload(x), dy = runner.upload(y), out = runner.allocate(400);
  int32_t n = 100;
  std::string ptx = kernelText(R"(
    mov.u32 %r1, %tid.x;
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mad.lo.s32 %r4, %r2, %r3, %r1;
    ld.param.u32 %r5, [n];
    setp.ge.s32 %p1, %r4, %r5;
    @%p1 bra DONE;
    mul.wide.s32 %d1, %r4, 4;
    ld.param.u64 %d2, [x];
    ld.param.u64 %d3, [y];
    ld.param.u64 %d4, [z];
    add.s64 %d2, %d2, %d1;
    add.s64 %d3, %d3, %d1;
    add.s64 %d4, %d4, %d1;
    ld.global.u32 %r6, [%d2];
    ld.global.u32 %r7, [%d3];
    add.s32 %r8, %r6, %r7;
    st.global.u32 [%d4], %r8;
DONE:)",
                               ".param .u64 x, .param .u64 y, .param .u64 z, .param .u32 n");
  Result<void> done = runner.run(ptx, {.grid = {4, 1, 1}, .block = {32, 1, 1}}, dx, dy, out, n);
  ASSERT_TRUE(done) << messageOf(done);
  std::vector<int32_t> z = runner.download<int32_t>(out, 100);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(z[i], x[i] + y[i]);
  const SimReport &report = simReport(*runner.device);
  EXPECT_EQ(report.blocks, 4u);
  EXPECT_EQ(report.executed("ld.global"), 8u);
  EXPECT_EQ(report.executed("st.global.u32"), 4u);
}

} // namespace

} // namespace sparsec::test
