// Kernels of operations beside attention at the sizes of a transformer: they assemble without
// spills, local memory or complaint, and no operation is so many instructions that its kernels take
// long to compile; for CPUs too. What they compute, tests of their own say.
#include "codegen/Compiler.h"
#include "kernel/ops/Adam.h"
#include "kernel/ops/AttentionDecode.h"
#include "kernel/ops/AttentionMass.h"
#include "kernel/ops/CrossEntropy.h"
#include "kernel/ops/Elementwise.h"
#include "kernel/ops/Embedding.h"
#include "kernel/ops/LayerNorm.h"
#include "kernel/ops/Matmul.h"
#include "kernel/ops/Sample.h"
#include "kernel/ops/SparseMatmul.h"
#include "runtime/cuda/Gate.h"

#include <algorithm>
#include <ctime>
#include <fmt/core.h>
#include <gtest/gtest.h>

using namespace sparsec;

namespace {

struct Operated {
  std::string name;
  Request request;
};

void addElementwise(std::vector<Operated> &all, const Target &target) {
  using Kind = ElementwiseRequest::Kind;
  for (Kind kind : {Kind::Cast, Kind::Gelu, Kind::GeluBackward, Kind::Dropout})
    all.push_back({fmt::format("elementwise_{}", static_cast<int>(kind)),
                   ElementwiseRequest{.entry = "kernel",
                                      .kind = kind,
                                      .from = DType::F32,
                                      .to = DType::BF16,
                                      .target = target}});
  for (int64_t columns : {256, 50257})
    all.push_back({fmt::format("sample_{}", columns),
                   SampleRequest{.entry = "kernel", .columns = columns, .target = target}});
}

/// Decoding, block sums and block-sparse layers, of a strided pattern.
void addOfPatterns(std::vector<Operated> &all, const Target &target) {
  auto attend = parsePredicate(std::make_shared<SourceText>(
      SourceText{"test", "k <= q and (q - k < 128 or (q - k) % 128 == 0)"}));
  EXPECT_TRUE(attend) << attend.error().render();
  for (DType dtype : {DType::BF16, DType::F32})
    for (int headDim : {64, 128}) {
      std::string sizes = fmt::format("{}_{}", name(dtype), headDim);
      AttentionDecodeRequest decode{.entry = "kernel", .attend = *attend, .dtype = dtype};
      decode.headDim = decode.valueDim = headDim;
      decode.keyOrder = ResidueOrder{128};
      decode.target = target;
      all.push_back({"decode_" + sizes, decode});
      AttentionMassRequest mass{.entry = "kernel", .attend = *attend, .dtype = dtype};
      mass.headDim = headDim;
      mass.target = target;
      all.push_back({"mass_" + sizes, mass});
    }
  using Pass = MatmulRequest::Pass;
  for (Pass pass : {Pass::Forward, Pass::InputGradient, Pass::WeightGradient})
    for (int side : {16, 64, 128}) {
      SparseMatmulRequest request{.entry = "kernel", .attend = *attend, .pass = pass};
      request.block = {side, side};
      request.target = target;
      all.push_back({fmt::format("sparse_matmul_{}_{}", name(pass).substr(0, 5), side), request});
      std::ranges::replace(all.back().name, ' ', '_');
    }
}

std::vector<Operated> requests(const std::string &targetName) {
  std::vector<Operated> all;
  Target target = *findTarget(targetName);
  using Pass = MatmulRequest::Pass;
  auto matmul = [&](DType dtype, Pass pass, MatmulRequest::Tile tile, bool rich) {
    MatmulRequest request;
    request.entry = "kernel";
    request.pass = pass;
    request.dtype = dtype;
    request.gelu = rich && pass != Pass::WeightGradient;
    request.bias = rich && pass != Pass::InputGradient;
    request.residual = rich && pass == Pass::Forward;
    request.tile = tile;
    request.target = target;
    std::string text = fmt::format("matmul_{}_{}{}_{}x{}x{}", name(pass).substr(0, 5), name(dtype),
                                   rich ? "_rich" : "", tile.tokens, tile.out, tile.in);
    std::replace(text.begin(), text.end(), ' ', '_');
    all.push_back({text, request});
  };
  for (Pass pass : {Pass::Forward, Pass::InputGradient, Pass::WeightGradient}) {
    matmul(DType::BF16, pass, {64, 64, 64}, true);
    matmul(DType::F32, pass, {64, 64, 64}, true);
  }
  matmul(DType::F16, Pass::Forward, {128, 128, 64}, true);
  matmul(DType::BF16, Pass::Forward, {256, 64, 64}, true);
  matmul(DType::BF16, Pass::InputGradient, {128, 64, 64}, true);
  matmul(DType::BF16, Pass::WeightGradient, {64, 128, 128}, false);
  for (int64_t columns : {64, 1000}) {
    LayerNormRequest norm{.entry = "kernel", .columns = columns, .target = target};
    all.push_back({fmt::format("layer_norm_{}", columns), norm});
    LayerNormBackwardRequest back;
    static_cast<LayerNormRequest &>(back) = norm;
    all.push_back({fmt::format("layer_norm_backward_{}", columns), back});
  }
  for (int64_t columns : {50257})
    all.push_back({fmt::format("cross_entropy_{}", columns),
                   CrossEntropyRequest{.entry = "kernel", .columns = columns, .target = target}});
  for (std::optional<DType> copy : {std::optional<DType>{}, std::optional(DType::BF16)})
    all.push_back({copy ? "adam_bf16" : "adam",
                   AdamRequest{.entry = "kernel", .copy = copy, .target = target}});
  for (DType dtype : {DType::BF16, DType::F32})
    for (int64_t columns : {1000, 1024}) {
      std::string sizes = fmt::format("{}_{}", name(dtype), columns);
      all.push_back({"embedding_" + sizes, EmbeddingRequest{.entry = "kernel",
                                                            .columns = columns,
                                                            .tables = dtype,
                                                            .dtype = dtype,
                                                            .positions = 3,
                                                            .target = target}});
      all.push_back({"embedding_gradient_" + sizes,
                     EmbeddingGradientRequest{
                         .entry = "kernel", .columns = columns, .dtype = dtype, .target = target}});
      all.push_back({"embedding_segments_" + sizes, EmbeddingGradientRequest{.entry = "kernel",
                                                                             .columns = columns,
                                                                             .dtype = dtype,
                                                                             .sorted = true,
                                                                             .target = target}});
    }
  addElementwise(all, target);
  addOfPatterns(all, target);
  return all;
}

struct Compiled {
  Result<std::vector<Kernel>> kernels;
  double milliseconds = 0; ///< of the processor, for each kernel
};
Compiled timed(const Request &request) {
  std::clock_t begin = std::clock();
  Result<std::vector<Kernel>> kernels = compile(request);
  double took = 1000.0 * double(std::clock() - begin) / CLOCKS_PER_SEC;
  if (kernels)
    took /= double(kernels->size());
  return {std::move(kernels), took};
}

class AssemblesOperation : public ::testing::TestWithParam<Operated> {};

TEST_P(AssemblesOperation, WithoutSpills) {
  auto [kernels, took] = timed(GetParam().request);
  ASSERT_TRUE(kernels) << kernels.error().render();
  // All kernels of a request are in the text of each. The most has a tile of 128 x 128 outputs.
  constexpr ptrdiff_t kMostLines = 5500;
  ptrdiff_t lines = std::ranges::count(kernels->front().code, '\n') / std::ssize(*kernels);
  EXPECT_LE(lines, kMostLines);
  fmt::print("{:36} {:4.0f} ms a kernel, {:5} lines\n", GetParam().name, took, lines);
  static const Assemblers assemblers = Assemblers::open(AssemblerSearch::fromEnvironment());
  if (assemblers.found.empty())
    GTEST_SKIP() << "neither NVRTC nor ptxas is here";
  for (const Kernel &kernel : *kernels) {
    EXPECT_LE(kernel.sharedBytes, kernel.target.sharedBytes);
    Result<Cubin> cubin = assemblers.assemble(kernel.code, kernel.target.name);
    ASSERT_TRUE(cubin) << cubin.error().render();
    Result<void> passed = gate(*cubin);
    EXPECT_TRUE(passed) << kernel.entry << ": " << passed.error().render();
    fmt::print("{:36} {:12} {:4} threads  {:6} bytes shared  {:3} registers  {:4} bytes spilled\n",
               GetParam().name, kernel.entry, kernel.threads, kernel.sharedBytes,
               cubin->report.registers, cubin->report.spillStores);
  }
}

INSTANTIATE_TEST_SUITE_P(Codegen, AssemblesOperation, ::testing::ValuesIn(requests("sm_90")),
                         [](const auto &info) { return info.param.name; });

class CompilesOperation : public ::testing::TestWithParam<Operated> {};

TEST_P(CompilesOperation, ToLittleCode) {
  auto [kernels, took] = timed(GetParam().request);
  ASSERT_TRUE(kernels) << kernels.error().render();
  constexpr int64_t kMostBytes = 20 << 10; // of an object file; blocks of scores take the most
  int64_t bytes = std::ssize(kernels->front().object) / std::ssize(*kernels);
  EXPECT_LE(bytes, kMostBytes);
  fmt::print("{:36} {:4.0f} ms a kernel, {:6} bytes\n", GetParam().name, took, bytes);
}

INSTANTIATE_TEST_SUITE_P(Codegen, CompilesOperation, ::testing::ValuesIn(requests("cpu-avx512")),
                         [](const auto &info) { return info.param.name; });

} // namespace
