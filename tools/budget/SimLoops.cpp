#include "tools/budget/SimLoops.h"

#include <fmt/core.h>

namespace sparsec {

namespace {

std::string registers(const char *prefix, int first, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i)
    text += fmt::format("{}{}{}", i ? ", " : "", prefix, first + i);
  return text + "}";
}

/// One product of 16x16 by 16x64 for each of four k-steps, from the stage at %r60.
std::string products(const char *sum, const char *trans, int aFirst) {
  std::string text;
  for (int k = 0; k < 4; ++k)
    for (int n = 0; n < 4; ++n) {
      text += fmt::format("ldmatrix.sync.aligned.m8n8.x4{}.shared.b16 {{%r20, %r21, %r22, %r23}}, "
                          "[%r60+{}];\n",
                          trans, n * 2048 + k * 32);
      for (int half = 0; half < 2; ++half) {
        int first = (n * 2 + half) * 4;
        text += fmt::format(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {}, {}, {{%r{}, %r{}}}, {};\n",
            registers(sum, first, 4), registers("%q", aFirst + 4 * k, 4), 20 + half, 22 + half,
            registers(sum, first, 4));
      }
    }
  return text;
}

/// Long: most of it is one text of PTX.
std::string attentionLoop() {
  std::string copies;
  for (int i = 0; i < 8; ++i)
    copies +=
        fmt::format("cp.async.cg.shared.global [%r62+{}], [%d2+{}], 16;\n", i * 2048, i * 2048);
  std::string softmax;
  for (int i = 0; i < 32; ++i)
    softmax += fmt::format("fma.rn.ftz.f32 %s{0}, %s{0}, 0f3D000000, 0fBF800000;\n"
                           "max.f32 %f1, %f1, %s{0};\n"
                           "ex2.approx.ftz.f32 %s{0}, %s{0};\n"
                           "add.f32 %f2, %f2, %s{0};\n",
                           i);
  for (int i = 0; i < 16; ++i)
    softmax += fmt::format("cvt.rn.bf16x2.f32 %q{}, %s{}, %s{};\n", 16 + i, 2 * i + 1, 2 * i);
  std::string zero, clear;
  for (int i = 0; i < 32; ++i) {
    zero += fmt::format("mov.f32 %o{}, 0f00000000;\n", i);
    clear += fmt::format("mov.f32 %s{}, 0f00000000;\n", i);
  }
  for (int i = 0; i < 16; ++i)
    zero += fmt::format("mov.u32 %q{}, 0x3C003C00;\n", i);
  return ".version 8.0\n.target sm_80\n.address_size 64\n.extern .shared .align 128 .b8 sm[];\n"
         ".visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n)\n{\n"
         ".reg .pred %p<4>; .reg .b32 %r<80>; .reg .b32 %q<32>; .reg .f32 %s<32>, %o<32>, %f<4>;\n"
         ".reg .b64 %d<8>;\n" +
         zero +
         R"(
mov.f32 %f1, 0fFF800000;
mov.f32 %f2, 0f00000000;
mov.u32 %r1, %tid.x;
mov.u32 %r2, sm;
ld.param.u64 %d1, [in];
ld.param.u32 %r3, [n];
mul.wide.u32 %d3, %r1, 16;
add.s64 %d2, %d1, %d3;
shl.b32 %r4, %r1, 4;
add.s32 %r5, %r2, %r4;       // destination of this thread's copies
and.b32 %r6, %r1, 15;
shl.b32 %r7, %r6, 7;
add.s32 %r8, %r2, %r7;       // rows of ldmatrix
mov.u32 %r9, 0;              // iteration
mov.u32 %r10, 0;             // stage
mov.u32 %r62, %r5;
)" + copies +
         R"(
cp.async.commit_group;
LOOP:
xor.b32 %r10, %r10, 16384;
add.s32 %r62, %r5, %r10;
)" + copies +
         R"(
cp.async.commit_group;
cp.async.wait_group 1;
bar.sync 0;
xor.b32 %r11, %r10, 16384;
add.s32 %r60, %r8, %r11;
)" + clear +
         products("%s", "", 0) + softmax + "add.s32 %r60, %r60, 8192;\n" +
         products("%o", ".trans", 16) +
         R"(
bar.sync 0;
add.s32 %r9, %r9, 1;
setp.lt.u32 %p1, %r9, %r3;
@%p1 bra LOOP;
cp.async.wait_all;
ld.param.u64 %d4, [out];
mul.wide.u32 %d5, %r1, 4;
add.s64 %d4, %d4, %d5;
add.f32 %f3, %f1, %f2;
add.f32 %f3, %f3, %o0;
st.global.f32 [%d4], %f3;
ret;
}
)";
}

std::string integerLoop() {
  return R"(.version 8.0
.target sm_80
.address_size 64
.extern .shared .align 128 .b8 sm[];
.visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n)
{
.reg .pred %p<8>;
.reg .b32 %r<40>;
.reg .b64 %d<8>;
mov.u32 %r1, %tid.x;
mov.u32 %r2, sm;
ld.param.u32 %r3, [n];
ld.param.u64 %d1, [out];
shl.b32 %r4, %r1, 2;
add.s32 %r5, %r2, %r4;
mov.u32 %r6, 0;
mov.u32 %r7, %r1;
LOOP:
mad.lo.s32 %r7, %r7, 1664525, 1013904223;
shr.u32 %r8, %r7, 7;
xor.b32 %r9, %r7, %r8;
and.b32 %r10, %r9, 255;
st.shared.u32 [%r5], %r9;
ld.shared.u32 %r11, [%r5];
add.s32 %r12, %r11, %r10;
setp.gt.u32 %p1, %r10, 128;
selp.b32 %r13, %r12, %r9, %p1;
mul.hi.u32 %r14, %r13, 715827883;
sub.s32 %r15, %r13, %r14;
@%p1 add.s32 %r15, %r15, 3;
shfl.sync.bfly.b32 %r16, %r15, 1, 31, -1;
xor.b32 %r7, %r16, %r15;
rem.u32 %r17, %r6, 10;
setp.eq.u32 %p2, %r17, 3;
@%p2 bra SKIP;
setp.lt.u32 %p3, %r10, 90;
@%p3 bra SKIP;
add.s32 %r7, %r7, %r10;
SKIP:
add.s32 %r6, %r6, 1;
setp.lt.u32 %p4, %r6, %r3;
@%p4 bra LOOP;
mul.wide.u32 %d2, %r1, 4;
add.s64 %d1, %d1, %d2;
st.global.u32 [%d1], %r7;
ret;
}
)";
}

} // namespace

std::vector<SimLoop> simLoops() {
  return {{"attention", attentionLoop(), 200}, {"integer", integerLoop(), 5000}};
}

Result<LoadedLoop> LoadedLoop::load(Device &device, const SimLoop &loop) {
  std::vector<uint16_t> input(32768, 0x3c00);
  Result<DeviceAddress> in = device.allocate(65536), out = device.allocate(512);
  if (!in || !out)
    return in ? out.error() : in.error();
  if (Result<void> copied = device.copyToDevice(*in, input.data(), 65536); !copied)
    return copied.error();
  Result<std::unique_ptr<Executable>> kernel = device.load(loop.ptx, "k");
  if (!kernel)
    return kernel.error();
  LoadedLoop loaded;
  loaded.device = &device;
  loaded.in = *in;
  loaded.out = *out;
  loaded.kernel = std::move(*kernel);
  return loaded;
}

Result<void> LoadedLoop::run(uint32_t iterations) {
  const void *parameters[] = {&in, &out, &iterations};
  Result<void> done =
      device->launch(*kernel, {.block = {128, 1, 1}, .sharedBytes = 32768}, parameters);
  return done ? device->synchronize() : done;
}

} // namespace sparsec
