#include "tests/runtime/cuda/Kernels.h"

#include <fmt/format.h>

namespace sparsec::testing {

namespace {

std::string header(const char *target) {
  return fmt::format(".version 8.0\n.target {}\n.address_size 64\n", target);
}

/// m64n8k16 in bf16 from descriptors in %rd1, %rd2 into %f1..%f4.
const char *wgmma = "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
                    "{%f1, %f2, %f3, %f4}, %rd1, %rd2, 1, 1, 1, 0, 0;\n";

std::string wgmmaText(const char *between) {
  return header("sm_90a") + R"(
.visible .entry product(.param .u64 product_param_0, .param .u64 product_param_1,
                        .param .u64 product_param_2)
.maxntid 256, 1, 1
.minnctapersm 1
{
  .reg .b64 %rd<8>;
  .reg .f32 %f<8>;
  .reg .b32 %r<4>;
  .reg .pred %p<2>;
  ld.param.u64 %rd1, [product_param_0];
  ld.param.u64 %rd2, [product_param_1];
  ld.param.u64 %rd3, [product_param_2];
  mov.f32 %f1, 0f00000000;
  mov.f32 %f2, 0f00000000;
  mov.f32 %f3, 0f00000000;
  mov.f32 %f4, 0f00000000;
  mov.u32 %r1, %tid.x;
  setp.ge.u32 %p1, %r1, 128;
  @%p1 bra $consumer;
  setmaxnreg.dec.sync.aligned.u32 40;
  ret;
$consumer:
  setmaxnreg.inc.sync.aligned.u32 168;
  wgmma.fence.sync.aligned;
)" + wgmma +
         between + wgmma + R"(
  wgmma.commit_group.sync.aligned;
  wgmma.wait_group.sync.aligned 0;
  mul.wide.u32 %rd4, %r1, 16;
  add.s64 %rd5, %rd3, %rd4;
  st.global.v4.f32 [%rd5], {%f1, %f2, %f3, %f4};
  ret;
}
)";
}

} // namespace

std::string tileKernel() {
  return header("sm_80") + R"(
.shared .align 16 .b8 fixed_tile[1024]; // static
.extern .shared .align 16 .b8 tiles[];  /* the launch says how much */

.visible .entry tile(
  .param .align 8 .b8 the_arguments[24],
  .param .u32 extra
)
.maxntid 32, 1, 1
.minnctapersm 2
{
  .reg .pred %p<4>;
  .reg .b32 %r<24>;
  .reg .f32 %f<8>;
  .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [the_arguments];
  ld.param.u64 %rd2, [the_arguments+8];
  ld.param.u32 %r1, [the_arguments+16];
  ld.param.u32 %r2, [extra];
  cvta.to.global.u64 %rd1, %rd1;
  cvta.to.global.u64 %rd2, %rd2;
  mov.u32 %r3, %tid.x;
  mul.wide.u32 %rd3, %r3, 16;
  add.s64 %rd4, %rd1, %rd3;
  setp.ge.s32 %p1, %r3, %r1;
  mov.u32 %r4, 0;
  @%p1 bra $L__BB0_2;
  ld.global.u32 %r4, [%rd4];
$L__BB0_2:
  mov.u32 %r5, tiles;
  mov.u32 %r6, fixed_tile;
  shl.b32 %r7, %r3, 4;
  add.s32 %r8, %r5, %r7;
  add.s32 %r9, %r6, %r7;
  st.shared.v4.b32 [%r8], {%r4, %r2, %r4, %r2};
  st.shared.v4.b32 [%r9], {%r4, %r4, %r4, %r4};
  bar.sync 0;
  shfl.sync.bfly.b32 %r10|%p2, %r4, 1, 31, -1;
  @%p2 add.s32 %r4, %r4, %r10;
  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r11, %r12, %r13, %r14}, [%r8];
  ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r15, %r16}, [%r9];
  cvt.rn.f32.s32 %f1, %r4;
  mov.f32 %f2, %f1;
  mov.f32 %f3, 0f3F800000;
  mov.f32 %f4, %f3;
  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
    {%f1, %f2, %f3, %f4}, {%r11, %r12, %r13, %r14}, {%r15, %r16}, {%f1, %f2, %f3, %f4};
  add.s64 %rd5, %rd2, %rd3;
  st.global.v4.f32 [%rd5], {%f1, %f2, %f3, %f4};
  ret;
}
)";
}

std::string wgmmaKernel() {
  return wgmmaText("");
}

std::string serialisedKernel() {
  return wgmmaText("add.f32 %f1, %f1, %f2;\n");
}

std::string spillingKernel() {
  std::string text = header("sm_80") + R"(
.visible .entry spill(.param .u64 spill_param_0)
.maxnreg 24
{
  .reg .f32 %f<101>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [spill_param_0];
)";
  for (int i = 0; i < 100; ++i)
    text += fmt::format("  ld.volatile.global.f32 %f{}, [%rd1+{}];\n", i, 4 * i);
  for (int i = 99; i >= 0; --i)
    text += fmt::format("  st.volatile.global.f32 [%rd1+{}], %f{};\n", 400 + 4 * i, i ^ 1);
  return text + "  ret;\n}\n";
}

std::string localArrayKernel() {
  return header("sm_80") + R"(
.visible .entry array(.param .u64 array_param_0, .param .u32 array_param_1)
{
  .local .align 4 .b8 values[4096];
  .reg .b32 %r<6>;
  .reg .b64 %rd<6>;
  .reg .pred %p<2>;
  ld.param.u64 %rd1, [array_param_0];
  ld.param.u32 %r1, [array_param_1];
  mov.u64 %rd2, values;
  mov.u32 %r4, 0;
$next:
  ld.global.u32 %r2, [%rd1];
  and.b32 %r2, %r2, 1023;
  mul.wide.u32 %rd3, %r2, 4;
  add.s64 %rd4, %rd2, %rd3;
  st.local.u32 [%rd4], %r4;
  add.s64 %rd1, %rd1, 4;
  add.s32 %r4, %r4, 1;
  setp.lt.s32 %p1, %r4, %r1;
  @%p1 bra $next;
  ld.local.u32 %r3, [%rd2+20];
  st.global.u32 [%rd1], %r3;
  ret;
}
)";
}

std::string dividingKernel() {
  return header("sm_80") + R"(
.visible .entry divide(.param .u64 divide_param_0)
{
  .reg .f32 %f<4>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [divide_param_0];
  ld.global.f32 %f1, [%rd1];
  ld.global.f32 %f2, [%rd1+4];
  div.rn.f32 %f3, %f1, %f2;
  st.global.f32 [%rd1], %f3;
  ret;
}
)";
}

std::string callingKernel() {
  return header("sm_80") + R"(
.func (.reg .b32 %result) twice(.reg .b32 %value)
{
  add.s32 %result, %value, %value;
  ret;
}
.visible .entry caller(.param .u64 caller_param_0)
{
  .reg .b32 %r<3>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [caller_param_0];
  ld.global.u32 %r1, [%rd1];
  call (%r2), twice, (%r1);
  st.global.u32 [%rd1], %r2;
  ret;
}
)";
}

} // namespace sparsec::testing
