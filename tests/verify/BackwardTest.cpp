// Attention backward on a device: every zoo pattern, every type, kind of size and sharing of kv
// heads against float64, by closed forms and by tables; and exact counts of the pairs that attend.
#include "codegen/Compiler.h"
#include "kernel/ops/AttentionBackward.h"
#include "tests/verify/Mutation.h"
#include "tests/verify/SmallZoo.h"
#include "tests/verify/TestDevice.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/backward/Case.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

/// Each kernel is compiled once for all tests here.
Result<std::vector<Kernel>> compileOnce(const Request &request) {
  static std::map<std::string, std::vector<Kernel>> compiled;
  auto [kernels, fresh] = compiled.try_emplace(request.text());
  if (fresh) {
    Result<std::vector<Kernel>> result = compile(request);
    if (!result)
      return result;
    kernels->second = std::move(*result);
  }
  return kernels->second;
}

/// The first thing that is wrong with a case; empty: nothing.
std::string wrong(Verifier &verifier, const BackwardCase &c) {
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  if (!rows)
    return rows.error().render();
  for (const VerifyRow &row : *rows)
    if (!row.passed)
      return fmt::format("{}: {}: {}: error {}, bound {}: {}", describe(c), row.head, row.output,
                         row.error, row.bound, row.detail);
  return rows->empty() ? "no rows" : "";
}

/// A pattern's kernels, by closed forms and by tables.
struct Both {
  Both(Device &device, const Pattern &pattern)
      : forms({device, pattern, targetOf(device), compileOnce, BlockSource::Auto}),
        tables({device, pattern, targetOf(device), compileOnce, BlockSource::Tables}) {}
  Verifier forms, tables;
};

/// Small blocks, so that few rows have several.
ForwardCase small(DType dtype) {
  return {.dtype = dtype,
          .headDim = 32,
          .valueDim = 32,
          .n = 100,
          .nq = 100,
          .heads = 2,
          .kvHeads = 2,
          .surround = Surround::Filled,
          .block = {32, 32}};
}

std::vector<ForwardCase> sizes(DType dtype) {
  ForwardCase grouped = small(dtype); // with two entries every kv head gets both
  grouped.n = grouped.nq = 70;
  grouped.heads = 6, grouped.kvHeads = 3, grouped.batch = 2;
  grouped.order = TensorOrder::BatchRowHead;
  grouped.runs = 2;
  ForwardCase decoding = small(dtype);
  decoding.n = 130, decoding.nq = 17;
  decoding.headDim = 80, decoding.valueDim = 48;
  decoding.heads = 4, decoding.kvHeads = 1;
  decoding.gap = 16, decoding.rowGap = 3;
  decoding.inputs = Inputs::Peaked;
  ForwardCase keyless = small(dtype); // rows before the first key
  keyless.n = 40, keyless.nq = 90;
  ForwardCase one = small(dtype);
  one.n = one.nq = 1;
  return {small(dtype), grouped, decoding, keyless, one};
}

/// sim steps through f32 products one multiply-add at a time: there, f32 has one size of each
/// pattern, and what does not ask for a type takes bf16.
bool isSlow(const Device &device, DType dtype) {
  return device.name() == "sim" && dtype == DType::F32;
}

constexpr Counting kCountings[] = {Counting::InDq, Counting::InDk, Counting::InDv};

class Backward : public ::testing::TestWithParam<std::tuple<std::string, DType>> {
protected:
  Pattern pattern = testing::smallZooPattern(std::get<0>(GetParam()), {{"l", 20}, {"c", 4}});
};

TEST_P(Backward, AgreesWithFloat64) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  ASSERT_FALSE(pattern.heads.empty());
  Both both(device, pattern);
  DType dtype = std::get<1>(GetParam());
  std::vector<ForwardCase> cases = sizes(dtype);
  if (isSlow(device, dtype))
    cases.resize(1);
  for (const ForwardCase &c : cases) {
    EXPECT_EQ(wrong(both.forms, {c, Dlse::None}), "");
    EXPECT_EQ(wrong(both.tables, {c, Dlse::Given}), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, Backward,
                         ::testing::Combine(::testing::ValuesIn(testing::distinctZoo()),
                                            ::testing::Values(DType::F32, DType::BF16, DType::F16)),
                         testing::zooTestName);

class BackwardCounts : public Backward {};

/// In each gradient, of heads that share keys and values too: every pair once, and no other.
TEST_P(BackwardCounts, EqualThePredicate) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  ASSERT_FALSE(pattern.heads.empty());
  Both both(device, pattern);
  DType dtype = std::get<1>(GetParam()); // counts are below 256: exact in bf16 too
  ForwardCase grouped = small(isSlow(device, dtype) ? DType::BF16 : dtype);
  grouped.n = 130;
  grouped.heads = 6, grouped.kvHeads = 3;
  for (Counting counting : kCountings)
    for (Verifier *verifier : {&both.forms, &both.tables})
      EXPECT_EQ(wrong(*verifier, {grouped, Dlse::None, counting}), "");
}

INSTANTIATE_TEST_SUITE_P(Zoo, BackwardCounts,
                         ::testing::Combine(::testing::ValuesIn(testing::distinctZoo()),
                                            ::testing::Values(DType::F32)),
                         testing::zooTestName);

Expr parse(const std::string &text) {
  auto parsed = parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
  EXPECT_TRUE(parsed) << parsed.error().render();
  return *parsed;
}

/// A pass that leaves one pair out is found. The pair is in a block that is masked: the layout is
/// still the pattern's.
TEST(BackwardCounts, AMissingPairIsFound) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  using Pass = AttentionBackwardRequest::Pass;
  Pattern pattern{.name = "test"};
  pattern.heads.push_back({.name = "head", .attend = parse("k <= q")});
  for (Pass pass : {Pass::Queries, Pass::Keys}) {
    auto leavesOut = [pass](const Request &asked) {
      auto request = *asked.as<AttentionBackwardRequest>();
      if (request.pass == pass)
        request.attend = parse("k <= q and not (q == 70 and k == 66)");
      return compileOnce(request);
    };
    Verifier verifier({device, pattern, targetOf(device), leavesOut});
    ForwardCase c = small(DType::F32);
    for (Counting counting : kCountings) {
      bool ofPass = (counting == Counting::InDq) == (pass == Pass::Queries);
      std::string found = wrong(verifier, {c, Dlse::None, counting});
      bool counted = found.find("expected a count of exactly") != std::string::npos;
      // A pass over keys gives dv too, where pairs are counted in another gradient.
      EXPECT_EQ(counted, ofPass || pass == Pass::Keys) << found;
    }
    EXPECT_NE(wrong(verifier, {c, Dlse::None}), "");
  }
}

/// Whether a mutant only takes it that a key or query exists where its scores are masked, which
/// does not matter here: what does not exist is read as zeros, so that it adds nothing, and is not
/// written. Positions are compared with lengths without a sign, predicates with one.
bool isOfExistence(const Kernel &kernel, const testing::Mutant &mutant) {
  size_t begin = mutant.original.find("%p");
  if (mutant.kind == testing::MutationKind::Mask)
    begin = mutant.original.rfind("%p");
  std::string predicate =
      mutant.original.substr(begin, mutant.original.find_first_of(",;", begin) - begin);
  return kernel.code.find("setp.lt.u32 \t" + predicate + ",") != std::string::npos;
}

/// The mutants of a pass that no case notices, a line each.
std::string survivorsOf(Device &device, AttentionBackwardRequest::Pass pass,
                        const std::vector<ForwardCase> &cases) {
  Pattern pattern = testing::smallZooPattern("local", {{"l", 40}});
  std::vector<Kernel> healthy;
  const testing::Mutant *mutant = nullptr;
  auto compileMutant = [&](const Request &request) -> Result<std::vector<Kernel>> {
    Result<std::vector<Kernel>> kernels = compileOnce(request);
    if (!kernels || request.as<AttentionBackwardRequest>()->pass != pass)
      return kernels;
    healthy = *kernels;
    for (Kernel &kernel : *kernels)
      kernel.code = mutant ? mutant->ptx : kernel.code;
    return kernels;
  };
  auto found = [&] {
    for (const ForwardCase &c : cases) {
      Verifier verifier({device, pattern, targetOf(device), compileMutant});
      if (std::string what = wrong(verifier, {c, Dlse::Given}); !what.empty())
        return what;
    }
    return std::string();
  };
  EXPECT_EQ(found(), "");
  std::map<testing::MutationKind, int> count;
  std::string survivors;
  for (const Kernel &kernel : std::vector(healthy)) // each mutant is of one of them
    for (const testing::Mutant &each : testing::mutantsOf(kernel)) {
      mutant = &each;
      ++count[each.kind];
      if (found().empty() && !isOfExistence(kernel, each))
        survivors += fmt::format("{}, line {}: {}\n", name(each.kind), each.line, each.original);
    }
  using enum testing::MutationKind;
  EXPECT_GE(count[Barrier] + count[Wait] + count[Commit], 9);
  EXPECT_GE(count[Mask], 16); // eight numbers of a thread, two comparisons each
  EXPECT_GE(count[Range], 1);
  return survivors;
}

/// Barriers, waits, commits, masks and ranges of both passes, taken out one at a time: the
/// simulator or the numbers have to notice.
TEST(BackwardMutants, AreCaught) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  if (device.name() != "sim")
    GTEST_SKIP() << "a mutant may hang a GPU: mutants run on sim alone";
  using Pass = AttentionBackwardRequest::Pass;
  ForwardCase c{.dtype = DType::BF16, .headDim = 16, .valueDim = 16, .n = 81, .nq = 81};
  c.heads = 3, c.kvHeads = 1; // three turns of one loop
  c.block = {16, 16};
  ForwardCase shifted = c; // the diagonal does not go through the corners of blocks
  shifted.nq = 77;
  for (Pass pass : {Pass::Queries, Pass::Keys})
    EXPECT_EQ(survivorsOf(device, pass, {c, shifted}), "") << name(pass);
}

} // namespace
} // namespace sparsec
