// Every barrier, wait, commit and mask of every kernel of the zoo, taken out one at a time: the
// simulator or the numbers have to notice.
#include "tests/verify/Mutation.h"
#include "codegen/ChooseBlock.h"
#include "codegen/Compiler.h"
#include "tests/verify/SmallZoo.h"
#include "tests/verify/TestDevice.h"
#include "tools/verify/Judge.h"
#include "tools/verify/ops/forward/Forward.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

namespace sparsec {
namespace {

using testing::Mutant;
using testing::MutationKind;

TEST(Mutation, TakesOneThingOutOfTheText) {
  Kernel kernel{.entry = "k",
                .signature = Signature({{.name = "q"}, {.name = "n", .type = FieldType::I32}})};
  int n = kernel.signature.find("n")->offset;
  const std::string lines[] = {
      "\tld.param.v2.b32 \t{%r2, %r1}, [k_param_0+" + std::to_string(n) + "];",
      "\tbar.sync \t0;",
      "\tcp.async.wait_group \t1;",
      "\tcp.async.commit_group;",
      "\tsetp.lt.s32 \t%p3, %r7, %r2;",
      "\tsetp.lt.s32 \t%p4, %r7, %r9;",
      "\tselp.f32 \t%f9, %f8, 0fFF800000, %p3;",
      "\tselp.f32 \t%f9, 0fFF800000, %f8, %p3;",
      "\tselp.f32 \t%f9, 0f00000000, %f8, %p3;",
  };
  for (const std::string &line : lines)
    kernel.code += line + "\n";
  std::vector<Mutant> mutants = testing::mutantsOf(kernel);
  const std::tuple<MutationKind, int, std::string> expected[] = {
      {MutationKind::Barrier, 2, ""},
      {MutationKind::Wait, 3, ""},
      {MutationKind::Commit, 4, ""},
      {MutationKind::Range, 5, "setp.eq.s32 %p3, 0, 0;"},
      {MutationKind::Mask, 7, "mov.b32 %f9, %f8;"},
      {MutationKind::Mask, 8, "mov.b32 %f9, %f8;"},
  };
  ASSERT_EQ(mutants.size(), std::size(expected));
  for (size_t i = 0; i < mutants.size(); ++i) {
    auto [kind, line, replacement] = expected[i];
    EXPECT_EQ(mutants[i].kind, kind);
    EXPECT_EQ(mutants[i].line, line);
    std::string wanted;
    for (int at = 1; at <= static_cast<int>(std::size(lines)); ++at)
      wanted += (at == line ? replacement : lines[at - 1]) + "\n";
    EXPECT_EQ(mutants[i].ptx, wanted);
  }
}

/// One kernel on inputs for which everything in it matters, with the reference worked out once.
class Bench {
public:
  Bench(Device &device, const HeadEntry &entry, const ForwardCase &c)
      : device(device), c(c), trial({.name = "mutation", .heads = {entry}}, c) {}

  /// What is wrong with a kernel: empty when nothing is.
  Result<std::string> run(const AttentionPart &part) {
    Result<Attention> attention = Attention::load(device, {part});
    if (!attention)
      return attention.error();
    Tensors tensors = trial.tensors();
    if (Result<void> uploaded = tensors.upload(device); !uploaded)
      return uploaded.error();
    Heads heads = headsOfEntry(0, 1, c.heads);
    Result<std::string> fault = launch(device, *attention, c, heads, tensors);
    if (!fault || !fault->empty())
      return fault;
    if (Result<void> back = tensors.download(device); !back)
      return back.error();
    for (const VerifyRow &row : judge(c, trial, tensors, std::vector<std::string>(1)))
      if (!row.passed)
        return "outside of the bound: " + row.detail;
    return std::string();
  }

private:
  Device &device;
  ForwardCase c;
  ForwardTrial trial;
};

using Params = std::map<std::string, int64_t>;

/// Values that between them let every line of a kernel matter: with the first, rows of blocks have
/// several full ones; with the second a tile holds several pairs of a column, on both sides of the
/// diagonal.
std::vector<Params> paramsFor(const Block &block) {
  return {{{"l", 5 * block.k}, {"c", 8}}, {{"l", 12}, {"c", 4}}};
}

std::vector<ForwardCase> casesFor(DType dtype, int headDim, const Block &block) {
  ForwardCase base{.dtype = dtype, .headDim = headDim, .valueDim = headDim, .block = block};
  // Seven block columns, the last of one key, so that every element of a tile is past the end once;
  // five block rows, the last of one row; queries past the last key, so that a causal pattern needs
  // the end of all its keys too, not at a multiple of 8 from them. Nothing around the tensors.
  ForwardCase many = base;
  many.n = 6 * block.k + 1;
  many.nq = 4 * block.q + 1;
  many.q0 = many.n - many.nq + block.k + 4;
  // The first block is the last, and of one key.
  ForwardCase one = base;
  one.n = 1;
  one.nq = block.q + 1;
  one.q0 = 0;
  // Both starts of both axes together.
  ForwardCase square = base;
  square.n = square.nq = 6 * block.k + 1;
  return {many, one, square};
}

/// One thing that can be taken out, in each of the kernels that differ in parameters alone.
struct Site {
  MutationKind kind;
  std::vector<Mutant> mutants; ///< by parameters
  bool caught = false;
};

/// The kernel of an entry under each set of parameters, and its sites.
struct Subject {
  std::vector<HeadEntry> entries;
  std::vector<AttentionPart> kernels;
  std::vector<Site> sites;
};

void addKernel(Subject &subject, const HeadEntry &entry, const ForwardCase &c) {
  AttentionRequest request{.entry = "mutant",
                           .attend = entry.attend,
                           .dtype = c.dtype,
                           .headDim = c.headDim,
                           .valueDim = c.valueDim,
                           .block = c.block,
                           .target = *findTarget("sm_80")};
  Result<Kernel> kernel = compileKernel(request);
  ASSERT_TRUE(kernel) << kernel.error().render();
  std::vector<Mutant> mutants = testing::mutantsOf(*kernel);
  if (subject.sites.empty())
    subject.sites.resize(mutants.size());
  ASSERT_EQ(mutants.size(), subject.sites.size()) << "parameters changed the kernel's structure";
  for (size_t i = 0; i < mutants.size(); ++i) {
    Site &site = subject.sites[i];
    ASSERT_TRUE(site.mutants.empty() || site.kind == mutants[i].kind);
    site.kind = mutants[i].kind;
    site.mutants.push_back(std::move(mutants[i]));
  }
  subject.entries.push_back(entry);
  subject.kernels.push_back({std::move(*kernel), std::move(request)});
}

/// Runs what is not caught yet.
void hunt(Device &device, Subject &subject, size_t kernel, const ForwardCase &c) {
  Bench bench(device, subject.entries[kernel], c);
  Result<std::string> healthy = bench.run(subject.kernels[kernel]);
  ASSERT_TRUE(healthy) << healthy.error().render();
  ASSERT_EQ(*healthy, "") << describe(c);
  for (Site &site : subject.sites) {
    if (site.caught)
      continue;
    const Mutant &mutant = site.mutants[kernel];
    AttentionPart changed = subject.kernels[kernel];
    changed.kernel.code = mutant.ptx;
    Result<std::string> found = bench.run(changed);
    ASSERT_TRUE(found) << "line " << mutant.line << ": " << mutant.original
                       << "\nthe mutant was refused: " << found.error().render();
    site.caught = !found->empty();
  }
}

/// Survivors that change nothing, as "pattern/head/dtype/block/kind": how many, and why.
struct Justification {
  int count;
  std::string_view reason;
};
constexpr std::string_view kOnePartial = "only the last block of a row is partial, so that no "
                                         "partial block is fetched ahead of its turn";
constexpr std::string_view kNoFull =
    "no block of a column is full, so that the loop over full blocks is never entered";
const std::map<std::string, Justification> kJustified = {
    {"dense/dense/bf16/32x32/range", {1, kOnePartial}},
    {"dense/dense/f16/32x32/range", {1, kOnePartial}},
    {"dense/dense/f32/32x32/range", {2, kOnePartial}},  // a copy of a tile takes two steps
    {"dense/dense/bf16/64x64/range", {4, kOnePartial}}, // four
    {"strided/column/bf16/64x64/barrier", {1, kNoFull}},
    {"strided/column/bf16/64x64/commit", {1, kNoFull}},
    {"strided/column/bf16/64x64/wait", {1, kNoFull}},
    {"strided/column/bf16/32x32/barrier", {1, kNoFull}},
    {"strided/column/bf16/32x32/commit", {1, kNoFull}},
    {"strided/column/bf16/32x32/wait", {1, kNoFull}},
    {"strided/column/f16/32x32/barrier", {1, kNoFull}},
    {"strided/column/f16/32x32/commit", {1, kNoFull}},
    {"strided/column/f16/32x32/wait", {1, kNoFull}},
    {"strided/column/f32/32x32/barrier", {1, kNoFull}},
    {"strided/column/f32/32x32/commit", {1, kNoFull}},
    {"strided/column/f32/32x32/wait", {1, kNoFull}},
};

void expectAllCaught(const std::string &zoo, DType dtype, int headDim, const Block &block) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  if (device.name() != "sim")
    GTEST_SKIP() << "a mutant may hang a GPU: mutants run on sim alone";
  std::vector<ForwardCase> cases = casesFor(dtype, headDim, block);
  std::vector<Params> paramSets = paramsFor(block);
  std::vector<Subject> subjects;
  for (const Params &params : paramSets) {
    Pattern pattern = testing::smallZooPattern(zoo, params);
    ASSERT_FALSE(pattern.heads.empty());
    if (!subjects.empty() && pattern.params.empty())
      break; // the same kernel again
    subjects.resize(pattern.heads.size());
    for (size_t i = 0; i < subjects.size(); ++i)
      ASSERT_NO_FATAL_FAILURE(addKernel(subjects[i], pattern.heads[i], cases[0]));
  }
  std::map<MutationKind, int> count;
  for (Subject &subject : subjects) {
    for (const ForwardCase &c : cases)
      for (size_t kernel = 0; kernel < subject.kernels.size(); ++kernel)
        ASSERT_NO_FATAL_FAILURE(hunt(device, subject, kernel, c));
    std::string here =
        fmt::format("{}/{}/{}/{}x{}/", zoo, subject.entries[0].name, name(dtype), block.q, block.k);
    std::map<std::string, std::vector<const Mutant *>> survivors;
    for (const Site &site : subject.sites) {
      ++count[site.kind];
      if (!site.caught)
        survivors[here + std::string(name(site.kind))].push_back(&site.mutants[0]);
    }
    for (const auto &[id, mutants] : survivors) {
      auto justified = kJustified.find(id);
      int allowed = justified == kJustified.end() ? 0 : justified->second.count;
      if (static_cast<int>(mutants.size()) == allowed)
        continue;
      std::string text;
      for (const Mutant *mutant : mutants)
        text += fmt::format("\n  line {}: {}", mutant->line, mutant->original);
      ADD_FAILURE() << id << ": " << mutants.size() << " survive, " << allowed << " may:" << text;
    }
    for (const auto &[id, justification] : kJustified) {
      bool stale = id.starts_with(here) && !survivors.contains(id);
      EXPECT_FALSE(stale) << id << " is justified and does not survive";
    }
  }
  // A kernel in which nothing is found to take out would pass by saying nothing.
  for (MutationKind kind : {MutationKind::Barrier, MutationKind::Wait, MutationKind::Commit,
                            MutationKind::Mask, MutationKind::Range}) {
    EXPECT_GE(count[kind], 1) << name(kind);
    ::testing::Test::RecordProperty("mutants_" + std::string(name(kind)), count[kind]);
  }
}

/// Kernels that differ in more than their predicate; the zoo's others are like one of them.
const std::vector<std::string> kMutated = {"causal", "dense",   "fixed",         "fixed-heads",
                                           "local",  "strided", "strided-merged"};

class Mutants : public ::testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(Mutants, AreAllCaught) {
  auto [zoo, dtype] = GetParam();
  expectAllCaught(zoo, dtype, 16, {.q = 32, .k = 32});
}

INSTANTIATE_TEST_SUITE_P(Zoo, Mutants,
                         ::testing::Combine(::testing::ValuesIn(kMutated),
                                            ::testing::Values(DType::BF16, DType::F16, DType::F32)),
                         testing::zooTestName);

/// The kernels that users get: head dim 64, the blocks that the compiler takes.
class DefaultKernelMutants : public ::testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(DefaultKernelMutants, AreAllCaught) {
  auto [zoo, dtype] = GetParam();
  Result<Block> block = chooseBlock(AttentionRequest{.attend = make(Op::True, {}),
                                                     .dtype = dtype,
                                                     .headDim = 64,
                                                     .valueDim = 64,
                                                     .target = *findTarget("sm_80")});
  ASSERT_TRUE(block) << block.error().render();
  expectAllCaught(zoo, dtype, 64, *block);
}

INSTANTIATE_TEST_SUITE_P(Zoo, DefaultKernelMutants,
                         ::testing::Combine(::testing::ValuesIn(kMutated),
                                            ::testing::Values(DType::BF16)),
                         testing::zooTestName);

} // namespace
} // namespace sparsec
