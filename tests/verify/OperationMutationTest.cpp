// Every barrier, wait and commit of kernels beside attention, taken out one at a time: the
// simulator or the numbers have to notice, on one of the cases of `sparsec verify`.
#include "codegen/Compiler.h"
#include "tests/runtime/TestDevice.h"
#include "tests/verify/Mutation.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/layer_norm/LayerNorm.h"
#include "tools/verify/ops/matmul/Matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace sparsec {
namespace {

using testing::Mutant;
using testing::MutationKind;

/// One thing that can be taken out of a kernel, whose text says which it is.
struct Site {
  Mutant mutant;
  bool caught = false;
};
using Sites = std::map<std::string, std::vector<Site>>;

std::vector<Site> sitesOf(const Kernel &kernel) {
  std::vector<Site> sites;
  for (Mutant &mutant : testing::mutantsOf(kernel))
    if (mutant.kind != MutationKind::Mask && mutant.kind != MutationKind::Range)
      sites.push_back({std::move(mutant)});
  return sites;
}

/// Whether a case finds something wrong with the kernels of a compiler.
bool isFound(Device &device, const VerifyCase &c, const CompileFunction &compiler) {
  Pattern none;
  Verifier verifier({device, none, targetOf(device), compiler});
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  return !rows ||
         std::any_of(rows->begin(), rows->end(), [](const VerifyRow &row) { return !row.passed; });
}

/// Runs what is not caught yet.
void hunt(Device &device, const VerifyCase &c, Sites &sites) {
  std::vector<std::vector<Kernel>> made; // in the order that the case asks for them
  auto recording = [&](const Request &request) {
    Result<std::vector<Kernel>> kernels = compile(request);
    made.push_back(*kernels);
    return kernels;
  };
  ASSERT_FALSE(isFound(device, c, recording)) << c.text();
  for (const std::vector<Kernel> &kernels : made)
    for (const Kernel &kernel : kernels) {
      if (!sites.contains(kernel.code))
        sites[kernel.code] = sitesOf(kernel);
      for (Site &site : sites[kernel.code]) {
        if (site.caught)
          continue;
        EXPECT_TRUE(device.load(site.mutant.ptx, kernel.entry)) << "proves nothing";
        size_t asked = 0;
        auto changed = [&](const Request &) -> Result<std::vector<Kernel>> {
          std::vector<Kernel> all = made[asked++];
          for (Kernel &each : all)
            if (each.code == kernel.code)
              each.code = site.mutant.ptx;
          return all;
        };
        site.caught = isFound(device, c, changed);
      }
    }
}

void expectAllCaught(const std::vector<VerifyCase> &cases, size_t least) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  if ((*device)->name() != "sim")
    GTEST_SKIP() << "a mutant may hang a GPU: mutants run on sim alone";
  Sites sites;
  for (const VerifyCase &c : cases)
    hunt(**device, c, sites);
  size_t all = 0;
  for (const auto &[text, ofKernels] : sites)
    for (const Site &site : ofKernels) {
      ++all;
      EXPECT_TRUE(site.caught) << name(site.mutant.kind) << " at line " << site.mutant.line
                               << " of\n"
                               << text;
    }
  EXPECT_GE(all, least);
}

/// Three chunks and more, the last of them and the tiles ragged, rows of 16 bytes.
MatmulCase matmul(MatmulRequest::Pass pass, int64_t tokens, int64_t in, int64_t out) {
  MatmulCase c;
  c.pass = pass;
  c.dtype = DType::BF16;
  c.rows = tokens, c.in = in, c.out = out;
  return c;
}

TEST(OperationMutation, MatmulIsCaught) {
  using Pass = MatmulRequest::Pass;
  MatmulCase forward = matmul(Pass::Forward, 70, 200, 72);
  forward.bias = forward.gelu = true;
  MatmulCase ofRange = matmul(Pass::WeightGradient, 600, 72, 72);
  ofRange.bias = ofRange.accumulate = true;
  MatmulCase ofAll = ofRange;
  ofAll.rows = 200;
  expectAllCaught({forward, matmul(Pass::InputGradient, 70, 72, 200), ofRange, ofAll}, 16);
}

/// Sums of more parts than a tile has rows, and of none, which go on from what is there.
TEST(OperationMutation, LayerNormIsCaught) {
  LayerNormBackwardCase c;
  c.dtype = DType::BF16;
  c.rows = 300, c.columns = 72;
  c.accumulate = true;
  LayerNormBackwardCase none = c;
  none.rows = 0;
  expectAllCaught({c, none}, 4);
}

} // namespace
} // namespace sparsec
