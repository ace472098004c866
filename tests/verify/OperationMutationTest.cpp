// Every barrier, wait, commit and range of the kernels of operations beside attention, taken out
// one at a time: the simulator or the numbers have to notice in one of a few cases.
#include "codegen/Compiler.h"
#include "kernel/ops/Adam.h"
#include "tests/runtime/TestDevice.h"
#include "tests/verify/Mutation.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/adam/Adam.h"
#include "tools/verify/ops/embedding/Embedding.h"
#include "tools/verify/ops/layer_norm/LayerNorm.h"
#include "tools/verify/ops/matmul/Matmul.h"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sstream>

namespace sparsec {
namespace {

using testing::Mutant;

/// What is wrong with a case whose kernels a compiler made; empty: nothing. Of several launches the
/// second one may say what went wrong in the first: an Error is something wrong, too.
std::string wrong(Device &device, const VerifyCase &c, CompileFunction compiler) {
  Pattern none;
  Verifier verifier({device, none, targetOf(device), std::move(compiler)});
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  if (!rows)
    return rows.error().message;
  for (const VerifyRow &row : *rows)
    if (!row.passed)
      return row.output + ": " + row.detail;
  return "";
}

/// The kernels of one request, and what can be taken out of each.
struct Subject {
  std::vector<Kernel> kernels;
  struct Site {
    size_t kernel = 0;
    Mutant mutant;
    bool caught = false;
  };
  std::vector<Site> sites;
};

class Hunt {
public:
  explicit Hunt(Device &device) : device(device) {}

  /// Runs what is not caught yet of the kernels that a case asks for.
  void run(const VerifyCase &c) {
    std::string asked;
    std::string healthy = wrong(device, c, [&](const Request &request) {
      asked = request.text();
      return kernelsOf(request);
    });
    ASSERT_EQ(healthy, "") << c.text();
    Subject &subject = subjects[asked];
    for (Subject::Site &site : subject.sites) {
      if (site.caught)
        continue;
      auto loaded = device.load(site.mutant.ptx, subject.kernels[site.kernel].entry);
      ASSERT_TRUE(loaded) << "line " << site.mutant.line << ": " << site.mutant.original
                          << "\nthe mutant was refused: " << loaded.error().render();
      std::string found = wrong(device, c, [&](const Request &) {
        std::vector<Kernel> changed = subject.kernels;
        changed[site.kernel].code = site.mutant.ptx;
        return Result(changed);
      });
      site.caught = !found.empty();
    }
  }

  /// What nothing noticed, a line each.
  std::string survivors(bool ranges) const {
    std::string text;
    for (const auto &[request, subject] : subjects)
      for (const Subject::Site &site : subject.sites)
        if (!site.caught && (ranges || site.mutant.kind != testing::MutationKind::Range))
          text += fmt::format("{}: {}, line {}: {}\n", subject.kernels[site.kernel].entry,
                              name(site.mutant.kind), site.mutant.line, site.mutant.original);
    return text;
  }
  size_t sites() const {
    size_t count = 0;
    for (const auto &[request, subject] : subjects)
      count += subject.sites.size();
    return count;
  }

private:
  Result<std::vector<Kernel>> kernelsOf(const Request &request) {
    auto [found, fresh] = subjects.try_emplace(request.text());
    Subject &subject = found->second;
    if (!fresh)
      return subject.kernels;
    Result<std::vector<Kernel>> kernels = compile(request);
    if (!kernels)
      return kernels;
    subject.kernels = *kernels;
    for (size_t i = 0; i < kernels->size(); ++i)
      for (Mutant &mutant : testing::mutantsOf((*kernels)[i]))
        if (isIn((*kernels)[i], mutant.line))
          subject.sites.push_back({i, std::move(mutant)});
    return kernels;
  }

  /// Whether a line is one of a kernel's own: the text has all kernels of a request.
  static bool isIn(const Kernel &kernel, int line) {
    std::istringstream text(kernel.code);
    std::string each;
    bool inside = false;
    for (int i = 0; i < line && std::getline(text, each); ++i)
      if (each.find(".entry ") != std::string::npos)
        inside = each.find(".entry " + kernel.entry + "(") != std::string::npos;
    return inside;
  }

  Device &device;
  std::map<std::string, Subject> subjects;
};

/// Three chunks and more, the last of them and the tiles ragged, rows of 16 bytes.
MatmulCase matmul(MatmulRequest::Pass pass, int64_t tokens, int64_t in, int64_t out) {
  MatmulCase c;
  c.pass = pass, c.dtype = DType::BF16;
  c.rows = tokens, c.in = in, c.out = out;
  c.tile = {64, 64, 64}; // one request for all sizes of a pass
  return c;
}

std::vector<VerifyCase> matmuls() {
  using Pass = MatmulRequest::Pass;
  MatmulCase forward = matmul(Pass::Forward, 70, 200, 72);
  forward.bias = forward.gelu = true;
  MatmulCase ofRange = matmul(Pass::WeightGradient, 600, 72, 72);
  ofRange.bias = ofRange.accumulate = true;
  MatmulCase ofAll = ofRange;
  ofAll.rows = 150;          // too few for ranges
  MatmulCase wide = ofRange; // so many outputs that a range of bias gradients has two tiles
  wide.in = 8, wide.out = 4096, wide.rows = 1500;
  MatmulCase tall = ofRange; // more of their ranges than are added together
  tall.in = 8, tall.out = 8, tall.rows = 2200;
  return {forward, matmul(Pass::InputGradient, 70, 72, 200), ofRange, ofAll, wide, tall};
}

/// Sums of more parts than a tile has rows, and of none, which go on from what is there.
std::vector<VerifyCase> layerNorms() {
  LayerNormBackwardCase some;
  some.dtype = DType::BF16;
  some.rows = 300, some.columns = 72, some.accumulate = true;
  LayerNormBackwardCase none = some;
  none.rows = 0;
  LayerNormBackwardCase tall = some; // a work item adds more parts than a tile has rows
  tall.rows = 9000;
  return {some, none, tall};
}

struct Hunted {
  const char *name;
  std::vector<VerifyCase> cases;
  bool ranges = true;       ///< whether the ends of axes have to be noticed
  const char *survive = ""; ///< what these sizes cannot notice
};

/// Spans, blocks and parts that are several and of which the last ones are not full; a block of
/// more than one part, one that ends where a part does, none.
std::vector<VerifyCase> sortedGradients() {
  EmbeddingGradientCase some;
  some.dtype = DType::BF16, some.columns = 16, some.tableRows = 4200;
  some.batch = 3, some.n = 700, some.rows = 2100;
  EmbeddingGradientCase onto = some;
  onto.accumulate = true;
  EmbeddingGradientCase one = some;
  one.batch = 1, one.n = 1, one.rows = 1;
  EmbeddingGradientCase spans = some; // more than a tile of them
  spans.batch = 70, spans.n = 5, spans.rows = 350;
  EmbeddingGradientCase wide = one; // more than a tile of tiles of blocks
  wide.tableRows = 270000;
  return {some, onto, one, spans, wide};
}

/// Nothing around the tensors, and sizes that end inside of tiles.
std::vector<Hunted> hunted() {
  AdamCase adam;
  adam.columns = AdamRequest::kRow, adam.copy = DType::BF16;
  adam.rows = 67, adam.step = 3;
  AdamCase overflow = adam;
  overflow.gradients = AdamCase::Gradients::NotANumber;
  EmbeddingCase embedding;
  embedding.columns = 48, embedding.tokens = IndexType::I32, embedding.classes = 20;
  embedding.batch = 2, embedding.n = 70, embedding.rows = 140;
  embedding.positions = {{"t % 9", [](int64_t t) { return t % 9; }, 9}};
  EmbeddingGradientCase few;
  few.dtype = DType::BF16, few.columns = 32, few.tableRows = 20;
  few.batch = 2, few.n = 150, few.rows = 300;
  EmbeddingGradientCase many = few; // sequences that share their sums
  many.tableRows = 16500, many.batch = 3, many.rows = 450;
  many.index = {"t", [](int64_t t) { return t; }, 16500};
  EmbeddingGradientCase onto = few;
  onto.accumulate = true;
  EmbeddingGradientCase one = few; // the first block is the last, and of one position
  one.n = 1, one.rows = 2;
  EmbeddingGradientCase partial = few; // no block is full: the last one is fetched ahead
  partial.index = {"t % 9", [](int64_t t) { return t % 9; }, 9}, partial.tableRows = 9;
  EmbeddingGradientCase ends =
      partial; // the last block has fewer positions than one round of copies
  ends.n = 130, ends.rows = 260;
  return {{"adam", {adam, overflow}},
          // What is there is read before a loop of one round or more, whose barriers stand before
          // it is written, too.
          {"matmul", matmuls(), /*ranges=*/true,
           "matmul_bias_sum: barrier, line 5597: bar.sync \t0;\n"},
          // The mean of a row that does not exist meets a dy of 0.
          {"layer_norm", layerNorms(), /*ranges=*/false},
          {"embedding", {embedding}},
          {"embedding_gradient", {few, onto, many, one, partial, ends}},
          {"embedding_segments", sortedGradients()}};
}

class OperationMutation : public ::testing::TestWithParam<Hunted> {};

TEST_P(OperationMutation, IsNoticed) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  if ((*device)->name() != "sim")
    GTEST_SKIP() << "a mutant may hang a GPU: mutants run on sim alone";
  Hunt hunt(**device);
  for (const VerifyCase &c : GetParam().cases)
    ASSERT_NO_FATAL_FAILURE(hunt.run(c));
  EXPECT_GE(hunt.sites(), 2u) << "nothing was found to take out";
  EXPECT_EQ(hunt.survivors(GetParam().ranges), GetParam().survive);
}

INSTANTIATE_TEST_SUITE_P(All, OperationMutation, ::testing::ValuesIn(hunted()),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace sparsec
