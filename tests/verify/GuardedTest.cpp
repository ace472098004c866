// Kernels of the cpu device on memory whose neighbours nobody may touch: random patterns, ragged
// lengths, odd strides, grouped heads, token orders, splits, closed forms. A stray access ends this
// process, and says in which case. And the same bits on any number of threads.
#include "codegen/Compiler.h"
#include "runtime/cpu/CpuDevice.h"
#include "runtime/cpu/HostCpu.h"
#include "tests/verify/GuardedDevice.h"
#include "tests/verify/RandomCase.h"
#include "tests/verify/SmallZoo.h"
#include "tools/verify/ops/forward/Problem.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>

namespace sparsec::testing {
namespace {

/// Sizes, strides and heads that no tile divides, each tensor with nothing after its last element.
ForwardCase guardedCase(Random &random) {
  auto pick = [&](auto... values) {
    std::array choices = {values...};
    return choices[random.below(choices.size())];
  };
  ForwardCase c = randomCase(random);
  c.headDim = pick(16, 48, 64, 80, 128, 256);
  c.valueDim = pick(16, 48, 64, 80, 128, 256);
  c.block = pick(Block{}, Block{}, c.block);
  c.n = 1 + random.below(400);
  c.nq = pick(c.n, 1 + random.below(400));
  c.kvHeads = pick(1, 2, 3);
  c.heads = c.kvHeads * pick(1, 2, 3);
  c.batch = pick(1, 2, 3);
  int64_t vector = 16 / bytes(c.dtype);
  c.gap = pick(int64_t{0}, vector, 3 * vector, 5 * vector);
  c.rowGap = pick(0, 1, 3, 7);
  c.surround = Surround::None;
  c.runs = 1;
  return c;
}

/// Whatever is wrong with the rows of one case, or nothing.
std::string wrongWith(Verifier &verifier, const ForwardCase &c) {
  auto rows = verifier.run(c);
  if (!rows)
    return rows.error().render();
  for (const VerifyRow &row : *rows)
    if (!row.passed)
      return fmt::format("{}: error {}, bound {}: {}", row.output, row.error, row.bound,
                         row.detail);
  return "";
}

Pattern patternOf(const std::string &text) {
  auto predicate = parsePredicate(std::make_shared<SourceText>(SourceText{"random", text}));
  EXPECT_TRUE(predicate) << predicate.error().render();
  return {.name = "random", .heads = {{.name = "head0", .attend = *predicate}}};
}

/// This machine's, or for bf16 in turns the shapes of levels that few machines have.
Target targetOf(const Device &device, DType dtype, int turn) {
  const char *names[] = {"cpu-shapeamx", "cpu-shape512"};
  if (dtype != DType::BF16 || turn % 3 == 2 || !hostRunsLevel("shapeamx"))
    return targetOf(device);
  return *findTarget(names[turn % 3]);
}

TEST(GuardedDevice, EndsTheProcessOnEitherSide) {
  for (Guard guard : {Guard::Before, Guard::After}) {
    GuardedDevice device(guard);
    constexpr size_t kBytes = 5008;
    auto address = device.allocate(kBytes);
    ASSERT_TRUE(address);
    EXPECT_EQ(*address % 16, 0u);
    auto memory = reinterpret_cast<volatile char *>(static_cast<uintptr_t>(*address));
    memory[0] = 1;
    memory[kBytes - 1] = 1;
    auto touch = [&](int64_t at) {
      CrashNote note("a stray access");
      memory[at] = 1;
    };
    EXPECT_EXIT(touch(guard == Guard::Before ? -1 : kBytes), ::testing::KilledBySignal(SIGSEGV),
                "in a stray access");
  }
}

class Guarded : public ::testing::TestWithParam<Guard> {};

TEST_P(Guarded, RandomPatternsTouchNothingElse) {
  GuardedDevice device(GetParam());
  for (int seed = 1; seed <= 60; ++seed) {
    Random random((GetParam() == Guard::Before ? 6000 : 7000) + seed);
    std::string predicate = randomPredicate(random);
    ForwardCase c = guardedCase(random);
    Pattern pattern = patternOf(predicate);
    pattern.heads[0].schedule = randomSchedule(random, pattern.heads[0].attend);
    std::string what = print(pattern) + describe(c);
    CrashNote note(what);
    BlockSource blocks = seed % 4 ? BlockSource::Auto : BlockSource::Tables;
    Verifier verifier({device, pattern, targetOf(device, c.dtype, seed), compile, blocks});
    EXPECT_EQ(wrongWith(verifier, c), "") << what;
  }
}

TEST_P(Guarded, TheZooTouchesNothingElse) {
  GuardedDevice device(GetParam());
  for (const std::string &name : distinctZoo()) {
    Pattern pattern = smallZooPattern(name, {{"l", 40}, {"c", 8}});
    ASSERT_FALSE(pattern.heads.empty());
    Verifier verifier({device, pattern, targetOf(device), compile});
    std::vector<ForwardCase> all = defaultForwardCases(pattern);
    for (ForwardCase c : {all[0], all[3], all[5]}) { // a case of each type
      c.surround = Surround::None;
      CrashNote note(name + "\n" + describe(c));
      EXPECT_EQ(wrongWith(verifier, c), "") << name << ": " << describe(c);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sides, Guarded, ::testing::Values(Guard::Before, Guard::After),
                         [](const auto &side) {
                           return side.param == Guard::Before ? "before" : "after";
                         });

/// The bits of out and lse of one run.
std::vector<std::byte> bits(const Pattern &pattern, const ForwardCase &c, const AttentionPart &part,
                            int threads) {
  std::unique_ptr<Device> device = openCpuDevice({.threads = threads});
  Tensors tensors = tensorsOf(makeProblem(pattern, c), c);
  Result<void> ran = run(*device, part, c, tensors);
  EXPECT_TRUE(ran) << ran.error().render();
  std::vector<std::byte> all = tensors["out"].bytes();
  all.insert(all.end(), tensors["lse"].bytes().begin(), tensors["lse"].bytes().end());
  return all;
}

TEST(Threads, AnyNumberGivesTheSameBits) {
  for (int seed = 1; seed <= 20; ++seed) {
    Random random(9000 + seed);
    std::string text = randomPredicate(random);
    Pattern pattern = patternOf(text);
    ForwardCase c = guardedCase(random);
    AttentionRequest request{.entry = "kernel",
                             .attend = pattern.heads[0].attend,
                             .dtype = c.dtype,
                             .headDim = c.headDim,
                             .valueDim = c.valueDim,
                             .block = c.block,
                             .target = *findTarget("cpu")};
    auto kernel = compileKernel(request);
    ASSERT_TRUE(kernel) << kernel.error().render();
    AttentionPart part{*kernel, request};
    std::vector<std::byte> one = bits(pattern, c, part, 1);
    for (int threads : {2, 3, 7})
      EXPECT_EQ(bits(pattern, c, part, threads), one) << text << "\n" << describe(c);
  }
}

} // namespace
} // namespace sparsec::testing
