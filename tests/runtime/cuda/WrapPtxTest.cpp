// PTX as CUDA C++: the whole text of a small kernel, and what is refused.
#include "runtime/cuda/WrapPtx.h"
#include "tests/runtime/cuda/Kernels.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

TEST(WrapPtx, WritesAKernelOfTheSameSignature) {
  Result<std::string> source = wrapPtx(R"(.version 8.0
.target sm_80 // where to
.address_size 64
.extern .shared .align 32 .b8 tiles[];
.shared .b32 flag;
.visible .entry k(.param .align 8 .b8 args[24], .param .u64 .ptr .global .align 16 out) .maxntid 64, 2, 1
{
	.reg .b32 %r<3>;
	.loc 1 2 3
	ld.param.u32 %r1, [args+16]; /* not args2 */
	mov.u32 %r2, %tid.x;
	.pragma "nounroll";
}
)");
  ASSERT_TRUE(source) << source.error().render();
  EXPECT_EQ(*source,
            R"(extern __shared__ __align__(32) unsigned char tiles[];
struct __align__(8) k_argument_0 { unsigned char bytes[24]; };
extern "C" __global__ void __launch_bounds__(128) k(const __grid_constant__ k_argument_0 k_param_0, const __grid_constant__ unsigned long long k_param_1) {
  asm volatile("{\n"
    ".shared .b32 flag;\n"
    ".reg .b32 %%r<3>;\n"
    "ld.param.u32 %%r1, [k_param_0+16];  \n"
    "mov.u32 %%r2, %%tid.x;\n"
    ".pragma \"nounroll\";\n"
    "}\n" :: "r"(0), "r"((unsigned)__cvta_generic_to_shared(tiles)));
}
)");
}

TEST(WrapPtx, TablesKeepTheirNames) {
  Result<std::string> source = wrapPtx(R"(.global .align 4 .b8 ends[8] = {5, 0, 0, 0, 9, 0, 0, 0};
.visible .entry k(.param .u64 out) {
	mov.u64 %rd1, ends;
}
)");
  ASSERT_TRUE(source) << source.error().render();
  EXPECT_EQ(
      *source,
      R"(extern "C" { __device__ __align__(4) unsigned char ends[8] = {5, 0, 0, 0, 9, 0, 0, 0}; }
extern "C" __global__ void k(const __grid_constant__ unsigned long long k_param_0) {
  asm volatile("{\n"
    "mov.u64 %%rd1, ends;\n"
    "}\n" :: "r"(0));
}
)");
}

TEST(WrapPtx, RefusesWhatCudaCannotSay) {
  auto reason = [](const std::string &text) {
    Result<std::string> source = wrapPtx(text);
    return source ? "accepted" : source.error().message;
  };
  const std::string prefix = "this PTX cannot be wrapped for NVRTC: ";
  EXPECT_EQ(reason(testing::callingKernel()), prefix + "it has '.func' at module level");
  EXPECT_EQ(reason(".global .b32 x;"), prefix + "it has '.global' at module level");
  EXPECT_EQ(reason(".global .b32 x[2];"), prefix + "it has '.global' at module level");
  EXPECT_EQ(reason(".visible .global .b32 x[1] = {1};"),
            prefix + "it has '.global' at module level");
  EXPECT_EQ(reason(".const .b32 x = 1;"), prefix + "it has '.const' at module level");
  EXPECT_EQ(reason(".version 8.0\n"), prefix + "it has no kernel");
  EXPECT_EQ(reason(""), prefix + "it has no kernel");
  EXPECT_EQ(reason(".entry k() .explicitcluster {}"),
            prefix + "k has the directive '.explicitcluster'");
  EXPECT_EQ(reason(".entry k() .maxnreg 32 .maxntid 64 {}"),
            prefix + "k has both .maxnreg and a number of threads");
  EXPECT_EQ(reason(".entry k() .minnctapersm 2 {}"),
            prefix + "k has .minnctapersm and no number of threads");
  EXPECT_EQ(reason(".entry k() .maxntid {}"), prefix + ".maxntid without a number");
  EXPECT_EQ(reason(".entry k() { ret;"), prefix + "the body of k has no end");
  EXPECT_EQ(reason(".entry k(.param .b128 x) {}"), prefix + "parameter 'x' is of type .b128");
  EXPECT_EQ(reason(".entry k(.reg .b32 x) {}"), prefix + "expected .param, found '.reg'");
  EXPECT_EQ(reason(".extern .shared .b32 x;"), prefix + "'x' is defined elsewhere");
}

TEST(WrapPtx, ReadsAnyCutOfAKernelWithoutHarm) {
  std::string whole = testing::tileKernel();
  for (size_t length = 0; length < whole.size(); ++length) {
    Result<std::string> source = wrapPtx(whole.substr(0, length));
    EXPECT_EQ(bool(source), length + 1 >= whole.size()) << length; // all but the last line end
  }
}

} // namespace
} // namespace sparsec
