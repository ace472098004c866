// What is planned of a kernel before its CPU code is written, as text: tests/codegen/cpu-plans/.
//
// SPARSEC_UPDATE=1 in the environment writes the files anew, to be read before they are committed.
#include "codegen/Compiler.h"
#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"
#include "kernel/ops/AttentionDecode.h"
#include "kernel/ops/AttentionMass.h"
#include "kernel/ops/LayerNorm.h"
#include "kernel/ops/Matmul.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace sparsec {
namespace {

struct Planned {
  const char *file;
  Request request;
};

Expr causal() {
  return *parsePredicate(std::make_shared<SourceText>(SourceText{"-e", "causal"}));
}

Request forward(DType dtype, const char *target) {
  AttentionRequest request;
  request.entry = "forward", request.attend = causal(), request.dtype = dtype;
  request.target = *findTarget(target);
  return request;
}

Request backward(AttentionBackwardRequest::Pass pass, DType dtype, const char *target) {
  AttentionBackwardRequest request;
  request.entry = "backward", request.attend = causal(), request.pass = pass, request.dtype = dtype;
  request.target = *findTarget(target);
  return request;
}

Request decode(DType dtype, const char *target) {
  AttentionDecodeRequest request;
  request.entry = "decode", request.attend = causal(), request.dtype = dtype;
  request.target = *findTarget(target);
  return request;
}

Request mass(DType dtype, const char *target) {
  AttentionMassRequest request;
  request.entry = "mass", request.attend = causal(), request.dtype = dtype;
  request.target = *findTarget(target);
  return request;
}

std::vector<Planned> planned() {
  using Pass = AttentionBackwardRequest::Pass;
  MatmulRequest matmul;
  matmul.entry = "matmul", matmul.dtype = DType::BF16, matmul.bias = true;
  matmul.target = *findTarget("cpu-avx2");
  LayerNormRequest norm;
  norm.entry = "layer_norm", norm.columns = 1000, norm.target = *findTarget("cpu-avx512");
  return {{"forward.f32.avx512", forward(DType::F32, "cpu-avx512")},
          {"forward.bf16.avx512bf16", forward(DType::BF16, "cpu-avx512bf16")},
          {"forward.bf16.amx", forward(DType::BF16, "cpu-amx")},
          {"dq.f32.avx512", backward(Pass::Queries, DType::F32, "cpu-avx512")},
          {"dq.bf16.avx512bf16", backward(Pass::Queries, DType::BF16, "cpu-avx512bf16")},
          {"dkv.bf16.amx", backward(Pass::Keys, DType::BF16, "cpu-amx")},
          {"decode.f32.avx512", decode(DType::F32, "cpu-avx512")},
          {"decode.bf16.avx2", decode(DType::BF16, "cpu-avx2")},
          {"mass.f32.avx512", mass(DType::F32, "cpu-avx512")},
          {"mass.bf16.amx", mass(DType::BF16, "cpu-amx")},
          {"matmul.bf16.avx2", matmul},
          {"layer_norm.avx512", norm}};
}

class CpuPlan : public ::testing::TestWithParam<Planned> {};

TEST_P(CpuPlan, IsThisText) {
  Result<std::string> text = explain(GetParam().request, "plan");
  ASSERT_TRUE(text) << text.error().render();
  std::string path = std::string(SPARSEC_CPU_PLANS) + "/" + GetParam().file + ".txt";
  if (std::getenv("SPARSEC_UPDATE")) {
    std::ofstream(path) << *text;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::ostringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(*text, expected.str()) << path;
}

INSTANTIATE_TEST_SUITE_P(Codegen, CpuPlan, ::testing::ValuesIn(planned()), [](const auto &info) {
  std::string name = info.param.file;
  std::ranges::replace(name, '.', '_');
  return name;
});

/// A tile that two products take in two forms has a place for each.
TEST(CpuPlans, ALoadHasEveryFormThatItsProductsWant) {
  std::string text = *explain(
      backward(AttentionBackwardRequest::Pass::Queries, DType::BF16, "cpu-avx512bf16"), "plan");
  size_t load = text.find(" of %k, for products only");
  ASSERT_NE(load, std::string::npos) << text;
  std::string places = text.substr(load, text.find("  load ", load) - load);
  EXPECT_NE(places.find("(pairs in memory)"), std::string::npos) << places;
  EXPECT_NE(places.find("(pairs, interleaved)"), std::string::npos) << places;
}

/// GPUs have no such stage.
TEST(CpuPlans, AreOfCpus) {
  Result<std::string> text = explain(forward(DType::F32, "sm_80"), "plan");
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().render().find("a kernel for sm_80 has no stage 'plan'"),
            std::string::npos);
}

} // namespace
} // namespace sparsec
