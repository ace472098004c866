// Every barrier, wait, commit and range of the kernels of operations beside attention, taken out
// one at a time: the simulator or the numbers have to notice in one of a few cases.
#include "codegen/Compiler.h"
#include "kernel/ops/Adam.h"
#include "tests/runtime/TestDevice.h"
#include "tests/verify/Mutation.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/adam/Adam.h"
#include "tools/verify/ops/embedding/Embedding.h"

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

  /// What nothing noticed, a line each, but for what changes nothing.
  std::string survivors() const {
    std::string text;
    for (const auto &[request, subject] : subjects)
      for (const Subject::Site &site : subject.sites)
        if (!site.caught && !isFirstExchange(subject, site))
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
  /// A reduction across warps waits until an earlier one's numbers have been read: the first one
  /// has nothing to wait for, if no barrier before it was there for something else.
  static bool isFirstExchange(const Subject &subject, const Subject::Site &site) {
    if (site.mutant.kind != testing::MutationKind::Barrier)
      return false;
    auto first = std::ranges::find_if(subject.sites, [&](const Subject::Site &each) {
      return each.kernel == site.kernel && each.mutant.kind == testing::MutationKind::Barrier;
    });
    const std::string &code = subject.kernels[site.kernel].code;
    return &*first == &site && code.find("cp.async") == std::string::npos;
  }

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

struct Hunted {
  const char *name;
  std::vector<VerifyCase> cases;
};

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
  return {{"adam", {adam, overflow}},
          {"embedding", {embedding}},
          {"embedding_gradient", {few, onto, many, one, partial}}};
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
  EXPECT_EQ(hunt.survivors(), "");
}

INSTANTIATE_TEST_SUITE_P(All, OperationMutation, ::testing::ValuesIn(hunted()),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace sparsec
