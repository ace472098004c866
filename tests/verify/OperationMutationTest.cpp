// Every barrier, wait, commit, mask and range of the kernels of operations beside attention forward
// and backward, taken out one at a time: the simulator or the numbers have to notice in one of a
// few cases.
#include "codegen/Compiler.h"
#include "kernel/ops/Adam.h"
#include "tests/runtime/TestDevice.h"
#include "tests/verify/Mutation.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/adam/Adam.h"
#include "tools/verify/ops/cross_entropy/CrossEntropy.h"
#include "tools/verify/ops/decode/Decode.h"
#include "tools/verify/ops/elementwise/Elementwise.h"
#include "tools/verify/ops/embedding/Embedding.h"
#include "tools/verify/ops/layer_norm/LayerNorm.h"
#include "tools/verify/ops/mass/Mass.h"
#include "tools/verify/ops/matmul/Matmul.h"
#include "tools/verify/ops/sample/Sample.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

using testing::Mutant;
using testing::MutationKind;

/// What is wrong with a case whose kernels a compiler made; empty: nothing. Of several launches the
/// second one may say what went wrong in the first: an Error is something wrong, too.
std::string wrong(Device &device, const Pattern &pattern, const VerifyCase &c,
                  CompileFunction compiler) {
  Verifier verifier({device, pattern, targetOf(device), std::move(compiler)});
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  if (!rows)
    return rows.error().message;
  for (const VerifyRow &row : *rows)
    if (!row.passed)
      return row.output + ": " + row.detail;
  return "";
}

/// What may survive of one kind in a kernel, since it changes nothing.
struct Survivors {
  std::string_view entry;
  MutationKind kind = MutationKind::Range;
  size_t count = 0;
  std::string_view reason;
};

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
  Hunt(Device &device, const Pattern &pattern) : device(device), pattern(pattern) {}

  /// Runs what is not caught yet of the kernels that a case asks for.
  void run(const VerifyCase &c) {
    std::string asked;
    std::string healthy = wrong(device, pattern, c, [&](const Request &request) {
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
      std::string found = wrong(device, pattern, c, [&](const Request &) {
        std::vector<Kernel> changed = subject.kernels;
        changed[site.kernel].code = site.mutant.ptx;
        return Result(changed);
      });
      site.caught = !found.empty();
    }
  }

  /// What nothing noticed, a line each; where as many of a kernel's survive as may, nothing.
  std::string survivors(std::span<const Survivors> expected) const {
    std::map<std::pair<std::string, MutationKind>, std::vector<std::string>> found;
    for (const Survivors &each : expected)
      found[{std::string(each.entry), each.kind}];
    for (const auto &[request, subject] : subjects)
      for (const Subject::Site &site : subject.sites)
        if (!site.caught)
          found[{subject.kernels[site.kernel].entry, site.mutant.kind}].push_back(
              fmt::format("  line {}: {}\n", site.mutant.line, site.mutant.original));
    std::string text;
    for (const auto &[of, lines] : found) {
      auto justified = std::ranges::find_if(expected, [&](const Survivors &each) {
        return each.entry == of.first && each.kind == of.second;
      });
      size_t may = justified == expected.end() ? 0 : justified->count;
      if (lines.size() != may)
        text += fmt::format("{}, {}: {} survive, {} may\n{}", of.first, name(of.second),
                            lines.size(), may, fmt::join(lines, ""));
    }
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
        subject.sites.push_back({i, std::move(mutant)});
    return kernels;
  }

  Device &device;
  const Pattern &pattern;
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

LayerNormCase layerNorm() {
  return {};
}
CrossEntropyCase crossEntropy() {
  CrossEntropyCase c;
  c.ignored = c.lossScale = true;
  c.offset = -200; // a class that is none would have all the probability
  return c;
}
template <ElementwiseRequest::Kind kind>
ElementwiseCase elementwise() {
  ElementwiseCase c;
  c.kind = kind;
  c.residual = kind == ElementwiseRequest::Kind::Dropout;
  return c;
}
SampleCase sample() {
  SampleCase c;
  c.offset = -200;
  return c;
}

/// Rows in one tile of columns and in several, that fill their tiles and their runs of 16 bytes or
/// not; that lie on runs or anywhere; few and more than a tile of them.
template <class Made>
std::vector<VerifyCase> everyWay(Made make) {
  std::vector<VerifyCase> cases;
  for (int64_t columns : {65, 72, 2049})
    for (int64_t rows : {3, 36, 37, 171})
      for (int64_t gap : {0, 1}) {
        auto c = make();
        c.dtype = DType::BF16, c.rows = rows, c.columns = columns, c.gap = gap;
        if (columns < 100 || rows == 3)
          cases.push_back(c);
      }
  return cases;
}

/// And so many losses that each of a thread's runs of them ends inside of it, and before it.
std::vector<VerifyCase> crossEntropies() {
  std::vector<VerifyCase> cases = everyWay(crossEntropy);
  for (int64_t rows : {4, 20, 24, 25, 28, 52, 57, 68}) {
    CrossEntropyCase c = crossEntropy();
    c.dtype = DType::BF16, c.rows = rows, c.columns = 72;
    cases.push_back(c);
  }
  return cases;
}

DecodeCase decode(int64_t nq, std::vector<int64_t> lengths) {
  DecodeCase c;
  c.dtype = DType::BF16, c.headDim = c.valueDim = 16;
  c.nq = nq, c.n = std::ranges::max(lengths);
  c.batch = int64_t(lengths.size());
  c.lengths = std::move(lengths);
  c.heads = 11, c.kvHeads = 1;
  c.block = {0, 16};
  return c;
}

MassCase mass(int64_t nq, int64_t n) {
  MassCase c;
  c.dtype = DType::BF16, c.headDim = c.valueDim = 16;
  c.nq = nq, c.n = n;
  c.heads = 2, c.kvHeads = 1;
  c.block = {32, 16};
  return c;
}

struct Hunted {
  const char *name;
  std::vector<VerifyCase> cases;
  std::vector<Survivors> survivors = {};
  const char *attend = ""; ///< of operations on patterns
};

/// Tokens of the last of 1,030 rows' blocks, by spans of 512 positions. Were those from 1,030 on
/// counted, the block's segment would have a gap where a part begins, at its 512th place; were they
/// ranked, the last ones of the third span would stand where the fourth one's do.
int64_t withoutRowsBetween(int64_t t) {
  int64_t row = 1024 + t % 6, none = 1030 + t % 58;
  if (t < 512)
    return t < 480 ? row : -1;
  if (t < 1024)
    return none;
  return t < 1536 && t % 3 == 0 ? none : row;
}

/// Spans, blocks and parts that are several and of which the last ones are not full; a block of
/// more than one part, one that ends where a part does, none.
std::vector<VerifyCase> sortedGradients() {
  EmbeddingGradientCase some;
  some.dtype = DType::BF16, some.columns = 16, some.tableRows = 4097;
  some.batch = 3, some.n = 1111, some.rows = 3333;
  EmbeddingGradientCase onto = some;
  onto.accumulate = true;
  EmbeddingGradientCase one = some;
  one.batch = 1, one.n = 1, one.rows = 1;
  EmbeddingGradientCase spans = some; // more than a tile of them
  spans.batch = 70, spans.n = 5, spans.rows = 350;
  EmbeddingGradientCase wide = one; // more than a tile of tiles of blocks
  wide.tableRows = 270000;
  EmbeddingGradientCase gaps = some;
  gaps.tableRows = 1030, gaps.tokenAt = withoutRowsBetween;
  gaps.batch = 1, gaps.n = gaps.rows = 1800;
  return {some, onto, one, spans, wide, gaps};
}

constexpr std::string_view kOneBlock = "a fold of one block fetches none ahead";

constexpr std::string_view kNoRows = "no work item is without rows";

/// Of kernels whose loads ask whether a tile has rows at all.
std::vector<Survivors> noRows(std::string_view entry, size_t kernels) {
  return {{entry, MutationKind::Range, kernels, kNoRows}};
}

/// Nothing around the tensors, and sizes that end inside of tiles.
std::vector<Hunted> hunted() {
  using Kind = ElementwiseRequest::Kind;
  using enum MutationKind;
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
  return {
      {"adam", {adam, overflow}},
      {"matmul",
       matmuls(),
       {{"matmul_bias_sum", Barrier, 1,
         "what is there is read before a loop of one round or more, whose barriers stand before "
         "it is written, too"}}},
      {"layer_norm_backward",
       layerNorms(),
       {{"norm_dx", Range, 3,
         "no work item is without rows, and the mean of a row that does not exist meets a dy of "
         "0"}}},
      {"embedding", {embedding}},
      {"embedding_gradient", {few, onto, many, one, partial, ends}},
      {"embedding_segments", sortedGradients()},
      {"layer_norm", everyWay(layerNorm), noRows("norm", 3)},
      {"cross_entropy",
       crossEntropies(),
       {{"loss_rows", Range, 3, kNoRows},
        {"loss_sum", Range, 4, "of 65 and of 2,049 classes rows end in few of a thread's runs"}}},
      {"cast", everyWay(elementwise<Kind::Cast>), noRows("cast", 1)},
      {"gelu", everyWay(elementwise<Kind::Gelu>), noRows("gelu", 1)},
      {"gelu_backward", everyWay(elementwise<Kind::GeluBackward>), noRows("gelu_backward", 1)},
      {"dropout", everyWay(elementwise<Kind::Dropout>), noRows("dropout", 1)},
      {"sample", everyWay(sample), noRows("draw", 3)},
      {"decode",
       {decode(1, {150, 97, 1}), decode(3, {700, 300, 4})},
       {{"test_head_decode0_bf16_d16_v16", Range, 6,
         "a sequence has as many positions as it has queries (DecodeTest has others), a causal "
         "query sees none past the end, and blocks that are full have all their keys"},
        {"test_head_decode0_bf16_d16_v16_merge", Range, 1, "the first of these"}},
       "k <= q and (q - k < 40 or k % 5 == 0)"},
      {"mass",
       {mass(70, 70), mass(90, 45)},
       {{"test_mass0_bf16_d16_b32x16", Barrier, 2,
         "two stand side by side, before a sum is stored and before the next one is exchanged"},
        {"test_mass0_bf16_d16_b32x16", Commit, 1, kOneBlock},
        {"test_mass0_bf16_d16_b32x16", Range, 1, kOneBlock}},
       "q - k < 40 or k % 5 == 0"}};
}

Pattern patternOf(std::string text) {
  Pattern pattern{.name = "test"};
  if (text.empty())
    return pattern;
  auto attend = parsePredicate(std::make_shared<SourceText>(SourceText{"test", std::move(text)}));
  EXPECT_TRUE(attend) << attend.error().render();
  pattern.heads.push_back({.name = "head", .attend = *attend});
  return pattern;
}

class OperationMutation : public ::testing::TestWithParam<Hunted> {};

TEST_P(OperationMutation, IsNoticed) {
  auto device = testing::openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  if ((*device)->name() != "sim")
    GTEST_SKIP() << "a mutant may hang a GPU: mutants run on sim alone";
  Pattern pattern = patternOf(GetParam().attend);
  Hunt hunt(**device, pattern);
  for (const VerifyCase &c : GetParam().cases)
    ASSERT_NO_FATAL_FAILURE(hunt.run(c));
  EXPECT_GE(hunt.sites(), 2u) << "nothing was found to take out";
  EXPECT_EQ(hunt.survivors(GetParam().survivors), "");
}

INSTANTIATE_TEST_SUITE_P(All, OperationMutation, ::testing::ValuesIn(hunted()),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace sparsec
