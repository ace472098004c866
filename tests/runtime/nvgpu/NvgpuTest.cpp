// MLIR's own lowering of vector.contract to tensor cores, on the device under test: ldmatrix and
// mma.sync with upstream's lane maps (the pass convert-vector-to-gpu), which nobody here wrote. The
// kernels beside this file are compiled when the test runs.
#include "runtime/Float16.h"
#include "tests/runtime/TestDevice.h"

#include <cstdio>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec::testing {
namespace {

constexpr const char *pipeline =
    "builtin.module(nvvm-attach-target{chip=sm_80 features=+ptx80 O=3},"
    "gpu.module(gpu.func(convert-vector-to-gpu{use-nvgpu=true},canonicalize,cse),"
    "convert-nvgpu-to-nvvm,convert-vector-to-scf,lower-affine,convert-scf-to-cf,"
    "expand-strided-metadata,lower-affine,"
    "convert-gpu-to-nvvm{use-bare-ptr-memref-call-conv=true},convert-vector-to-llvm,"
    "convert-index-to-llvm,canonicalize,cse,reconcile-unrealized-casts),"
    "gpu-module-to-binary{format=isa})";

std::string outputOf(const std::string &command) {
  std::string output;
  FILE *pipe = popen(command.c_str(), "r");
  if (!pipe)
    return output;
  char buffer[4096];
  while (size_t count = fread(buffer, 1, sizeof buffer, pipe))
    output.append(buffer, count);
  pclose(pipe);
  return output;
}

/// The string attribute `assembly` of a gpu.object: MLIR escapes bytes as two hexadecimal digits.
std::string assemblyOf(const std::string &module) {
  const std::string key = "assembly = \"";
  size_t begin = module.find(key);
  std::string text;
  if (begin == std::string::npos)
    return text;
  for (size_t i = begin + key.size(); i < module.size() && module[i] != '"'; ++i) {
    if (module[i] == '\\' && module[i + 1] == '\\')
      text += module[++i];
    else if (module[i] == '\\') {
      text += char(std::stoi(module.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else
      text += module[i];
  }
  return text;
}

struct Contraction {
  const char *name;
  int k;
  bool transposed; ///< B is [k][n]
  bool wide;       ///< f32 sums
};

class Nvgpu : public ::testing::TestWithParam<Contraction> {};

/// Whole numbers from -6 to 6: products and sums are exact in f16.
int value(int seed, int i) {
  return (i * 37 + seed * 11 + i / 7 * 5) % 13 - 6;
}

TEST_P(Nvgpu, Multiplies) {
  auto device = openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  auto [name, k, transposed, wide] = GetParam();
  std::string module = outputOf(fmt::format("{} '{}/contract-{}.mlir' --pass-pipeline='{}' 2>&1",
                                            MLIR_OPT, NVGPU_KERNELS, name, pipeline));
  std::string ptx = assemblyOf(module);
  ASSERT_NE(ptx.find("mma.sync.aligned.m16n8k16"), std::string::npos) << module;
  ASSERT_NE(ptx.find("ldmatrix.sync.aligned.m8n8.x4"), std::string::npos) << ptx;

  std::vector<uint16_t> a(16 * k), b(8 * k);
  for (int i = 0; i < 16 * k; ++i)
    a[i] = floatToF16(float(value(1, i)));
  for (int i = 0; i < 8 * k; ++i)
    b[i] = floatToF16(float(value(2, i)));
  size_t width = wide ? 4 : 2;
  std::vector<char> c(16 * 8 * width);
  for (int i = 0; i < 16 * 8; ++i) {
    float start = float(value(3, i));
    uint16_t narrow = floatToF16(start);
    memcpy(&c[i * width], wide ? static_cast<void *>(&start) : &narrow, width);
  }

  auto executable = (*device)->load(ptx, "product");
  ASSERT_TRUE(executable) << executable.error().render();
  auto upload = [&](const void *from, size_t bytes) {
    auto address = (*device)->allocate(bytes);
    EXPECT_TRUE(address && (*device)->copyToDevice(*address, from, bytes));
    return address ? *address : 0;
  };
  DeviceAddress at[] = {upload(a.data(), a.size() * 2), upload(b.data(), b.size() * 2),
                        upload(c.data(), c.size())};
  const void *parameters[] = {&at[0], &at[1], &at[2]};
  auto launched = (*device)->launch(**executable, {.block = {32, 1, 1}}, parameters);
  ASSERT_TRUE(launched) << launched.error().render();
  auto copied = (*device)->copyToHost(c.data(), at[2], c.size());
  ASSERT_TRUE(copied) << copied.error().render();

  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 8; ++n) {
      int expected = value(3, m * 8 + n);
      for (int i = 0; i < k; ++i)
        expected += value(1, m * k + i) * value(2, transposed ? i * 8 + n : n * k + i);
      float found;
      uint16_t narrow;
      memcpy(&found, &c[(m * 8 + n) * width], wide ? 4 : 2);
      memcpy(&narrow, &c[(m * 8 + n) * width], 2);
      if (!wide)
        found = f16ToFloat(narrow);
      EXPECT_EQ(found, float(expected)) << "row " << m << ", column " << n;
    }
}

INSTANTIATE_TEST_SUITE_P(Contractions, Nvgpu,
                         ::testing::Values(Contraction{"f16", 16, false, false},
                                           Contraction{"f32", 32, false, true},
                                           Contraction{"transposed", 16, true, true}),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace sparsec::testing
