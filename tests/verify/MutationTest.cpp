// Every barrier, wait, commit and mask of every kernel of the zoo, taken out one at a time: the
// simulator or the numbers have to notice.
#include "tests/verify/Mutation.h"
#include "tests/verify/SmallZoo.h"
#include "tests/verify/TestDevice.h"
#include "tools/verify/Judge.h"
#include "tools/verify/Problem.h"

#include <gtest/gtest.h>

#include <map>

namespace sparsec {
namespace {

using testing::Mutant;
using testing::MutationKind;

TEST(Mutation, TakesOneThingOutOfTheText) {
  int n = 0;
  for (const Field &field : attentionFields())
    if (field.name == "n")
      n = field.offset;
  const std::string lines[] = {
      "\tld.param.b32 \t%r2, [k_param_0+" + std::to_string(n) + "];",
      "\tbar.sync \t0;",
      "\tcp.async.wait_group \t1;",
      "\tcp.async.commit_group;",
      "\tsetp.lt.s32 \t%p3, %r7, %r2;",
      "\tsetp.lt.s32 \t%p4, %r7, %r9;",
      "\tselp.f32 \t%f9, %f8, 0fFF800000, %p3;",
      "\tselp.f32 \t%f9, 0fFF800000, %f8, %p3;",
      "\tselp.f32 \t%f9, 0f00000000, %f8, %p3;",
  };
  std::string ptx;
  for (const std::string &line : lines)
    ptx += line + "\n";
  std::vector<Mutant> mutants = testing::mutantsOf(ptx);
  const std::tuple<MutationKind, int, std::string> expected[] = {
      {MutationKind::Barrier, 2, ""},
      {MutationKind::Wait, 3, ""},
      {MutationKind::Commit, 4, ""},
      {MutationKind::KeyRange, 5, "setp.eq.s32 %p3, 0, 0;"},
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
  Bench(Device &device, const HeadEntry &entry, const VerifyCase &c)
      : device(device), pattern{.name = "mutation", .heads = {entry}}, c(c),
        problem(makeProblem(pattern, c)), exact(reference::exact(problem)),
        plain(reference::plain(problem, rounding(c.dtype))) {}

  /// What is wrong with a kernel: empty when nothing is.
  Result<std::string> run(Kernel kernel) {
    Result<Attention> attention =
        Attention::load(device, std::move(kernel), pattern.heads[0].attend);
    if (!attention)
      return attention.error();
    Tensors tensors(problem, c);
    if (Result<void> uploaded = tensors.upload(device); !uploaded)
      return uploaded.error();
    Heads heads = headsOfEntry(0, 1, c.heads);
    if (Result<void> launched = attention->launch(tensors.call(c, heads)); !launched)
      return launched.error();
    if (Result<void> ran = device.synchronize(); !ran)
      return ran.error().message;
    if (Result<void> back = tensors.download(device); !back)
      return back.error();
    Outcome outcome{.c = c,
                    .problem = problem,
                    .out = tensors.out.get(),
                    .lse = tensors.lse.get(),
                    .exact = exact,
                    .plain = plain};
    for (const VerifyRow &row : {judgeOut(outcome, heads, {}), judgeLse(outcome, heads, {})})
      if (!row.passed)
        return "outside of the bound: " + row.detail;
    return std::string();
  }

private:
  Device &device;
  Pattern pattern;
  VerifyCase c;
  reference::AttentionProblem problem;
  reference::AttentionResult<double> exact;
  reference::AttentionResult<float> plain;
};

/// Survivors that change nothing, and why: "pattern/head/dtype/kind" -> reason.
const std::map<std::string, std::string> kJustified = {};

class Mutants : public ::testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(Mutants, AreAllCaught) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  if (device.name() != "sim")
    GTEST_SKIP() << "a mutant may hang a GPU: mutants run on sim alone";
  auto [zoo, dtype] = GetParam();
  Pattern pattern = testing::smallZooPattern(zoo, {{"l", 24}, {"c", 8}});
  ASSERT_FALSE(pattern.heads.empty());
  // Several block columns, ragged, and queries past the last key, so that a causal pattern needs
  // its key range too. One head beside a second one that shares its keys.
  VerifyCase c{.dtype = dtype,
               .headDim = 16,
               .valueDim = 16,
               .n = 150,
               .nq = 90,
               .q0 = 80,
               .heads = 2,
               .block = {.q = 32, .k = 32}};
  std::map<MutationKind, int> count;
  for (const HeadEntry &entry : pattern.heads) {
    Result<Kernel> kernel = compile({.entry = "mutant",
                                     .attend = entry.attend,
                                     .dtype = c.dtype,
                                     .headDim = c.headDim,
                                     .valueDim = c.valueDim,
                                     .block = c.block,
                                     .target = *findTarget("sm_80")});
    ASSERT_TRUE(kernel) << kernel.error().render();
    Bench bench(device, entry, c);
    Result<std::string> healthy = bench.run(*kernel);
    ASSERT_TRUE(healthy) << healthy.error().render();
    ASSERT_EQ(*healthy, "") << entry.name;
    for (const Mutant &mutant : testing::mutantsOf(kernel->code)) {
      Kernel changed = *kernel;
      changed.code = mutant.ptx;
      Result<std::string> found = bench.run(std::move(changed));
      ASSERT_TRUE(found) << "line " << mutant.line << ": " << mutant.original
                         << "\nthe mutant was refused: " << found.error().render();
      ++count[mutant.kind];
      std::string id = zoo + "/" + entry.name + "/" + std::string(name(dtype)) + "/" +
                       std::string(name(mutant.kind));
      if (found->empty() && !kJustified.contains(id))
        ADD_FAILURE() << id << ": line " << mutant.line << " is not missed: " << mutant.original;
    }
  }
  for (auto [kind, mutants] : count)
    RecordProperty("mutants_" + std::string(name(kind)), mutants);
  // A kernel in which nothing is found to take out would pass by saying nothing.
  EXPECT_GE(count[MutationKind::Barrier], 1);
  EXPECT_GE(count[MutationKind::Wait], 1);
  EXPECT_GE(count[MutationKind::Commit], 1);
  EXPECT_GE(count[MutationKind::Mask], 1);
  EXPECT_GE(count[MutationKind::KeyRange], 1);
}

INSTANTIATE_TEST_SUITE_P(Zoo, Mutants,
                         ::testing::Combine(::testing::ValuesIn(zooNames()),
                                            ::testing::Values(DType::BF16, DType::F16, DType::F32)),
                         testing::zooTestName);

} // namespace
} // namespace sparsec
