// Attention of new queries over cached keys on a device: of every causal zoo pattern, type and
// sharing of kv heads what forward gives at the same positions; the same bits for any number of
// threads; wrong kernels are found; what cannot be decoded is refused.
#include "tools/verify/ops/decode/Decode.h"
#include "codegen/Compiler.h"
#include "runtime/AttentionDecode.h"
#include "tests/verify/SmallZoo.h"
#include "tests/verify/TestDevice.h"
#include "tools/verify/Verify.h"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

/// The first thing that is wrong with a case; empty: nothing.
std::string wrong(Verifier &verifier, const DecodeCase &c) {
  Result<std::vector<VerifyRow>> rows = verifier.run(c);
  if (!rows)
    return rows.error().message;
  for (const VerifyRow &row : *rows)
    if (!row.passed)
      return fmt::format("{}: {}: {}: error {}, bound {}: {}", describe(c), row.head, row.output,
                         row.error, row.bound, row.detail);
  return rows->empty() ? "no rows" : "";
}

DecodeCase small(DType dtype, int64_t nq, std::vector<int64_t> lengths) {
  DecodeCase c;
  c.dtype = dtype;
  c.headDim = c.valueDim = 32;
  c.nq = nq;
  c.n = std::ranges::max(lengths);
  c.batch = static_cast<int64_t>(lengths.size());
  c.lengths = std::move(lengths);
  c.heads = 4, c.kvHeads = 2;
  c.surround = Surround::Filled;
  c.block = {0, 16};
  return c;
}

class Decode : public ::testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(Decode, AgreesWithForward) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  Pattern pattern = testing::smallZooPattern(std::get<0>(GetParam()), {{"l", 20}, {"c", 4}});
  ASSERT_FALSE(pattern.heads.empty());
  Verifier forms({device, pattern, targetOf(device), compile, BlockSource::Auto});
  Verifier tables({device, pattern, targetOf(device), compile, BlockSource::Tables});
  DType dtype = std::get<1>(GetParam());
  DecodeCase one = small(dtype, 1, {150, 97, 1});
  if (!isDecodable(pattern)) {
    EXPECT_TRUE(wrong(forms, one).starts_with("decode: expected a ")) << wrong(forms, one);
    return;
  }
  one.runs = 2;
  EXPECT_EQ(wrong(forms, one), "");
  if (device.name() == "sim")
    return;
  EXPECT_EQ(wrong(tables, one), "");
  DecodeCase several = small(dtype, 7, {64, 7, 300});
  several.inputs = Inputs::Peaked;
  several.order = TensorOrder::BatchRowHead;
  several.heads = 12, several.kvHeads = 1;
  EXPECT_EQ(wrong(forms, several), "");
  EXPECT_EQ(wrong(tables, several), "");
}

INSTANTIATE_TEST_SUITE_P(Zoo, Decode,
                         ::testing::Combine(::testing::ValuesIn(zooNames()),
                                            ::testing::Values(DType::F32, DType::BF16, DType::F16)),
                         testing::zooTestName);

Pattern patternOf(const std::string &text) {
  auto attend = parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
  EXPECT_TRUE(attend) << attend.error().render();
  Pattern pattern{.name = "test"};
  pattern.heads.push_back({.name = "head", .attend = *attend});
  return pattern;
}

/// Most zoo patterns are causal: what is refused above is the rest.
TEST(Decode, MostOfTheZooIsDecodable) {
  int count = 0;
  for (const std::string &name : zooNames())
    count += isDecodable(testing::smallZooPattern(name, {{"l", 20}, {"c", 4}}));
  EXPECT_GE(count, 10);
}

/// Rows that are cut in slices and merged: of a long causal row there are several.
TEST(Decode, LongRowsAreCut) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  Pattern causal = patternOf("k <= q");
  for (const char *text : {"k <= q", "k <= q and (q - k) % 3 == 0 or k <= q and h == 1"}) {
    Pattern pattern = patternOf(text);
    Verifier verifier({device, pattern, targetOf(device), compile});
    DecodeCase c = small(DType::BF16, 2, {1000, 300, 2});
    c.runs = 2;
    EXPECT_EQ(wrong(verifier, c), "");
  }
  AttentionDecodeRequest request{
      .entry = "causal", .attend = causal.heads[0].attend, .headDim = 32, .valueDim = 32};
  request.block.k = 16;
  request.target = targetOf(device);
  auto kernels = compile(request);
  ASSERT_TRUE(kernels) << kernels.error().render();
  std::vector<DecodePart> parts;
  parts.push_back({request, std::move(*kernels)});
  auto decode = AttentionDecode::load(device, std::move(parts));
  ASSERT_TRUE(decode) << decode.error().render();
  for (auto [most, slots] : {std::pair<int64_t, int64_t>{1000, 16}, {60, 1}}) { // of 63 blocks
    auto plan = decode->prepare({.batch = 3, .heads = 4, .kvHeads = 4, .nq = 1, .most = most},
                                {.count = 4});
    ASSERT_TRUE(plan) << plan.error().render();
    EXPECT_EQ(plan->slots(), slots);
    EXPECT_EQ(plan->workspaceBytes() > 0, slots > 1);
  }
}

TEST(Decode, AWrongKernelIsFound) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  Pattern causal = patternOf("k <= q"), other = patternOf("k <= q and (q != 96 or k != 40)");
  auto leavesOut = [&](const Request &asked) {
    AttentionDecodeRequest changed = *asked.as<AttentionDecodeRequest>();
    changed.attend = other.heads[0].attend;
    changed.block.k = 128; // the pair is in a block that is masked
    return compile(changed);
  };
  Verifier verifier({device, causal, targetOf(device), leavesOut});
  DecodeCase c = small(DType::BF16, 1, {150, 97, 1});
  c.block.k = 128;
  EXPECT_NE(wrong(verifier, c), "");
}

/// A sequence that is shorter than its new queries: those before its first position have no rows,
/// and nothing of theirs is read or written.
TEST(Decode, QueriesBeforeASequenceAreLeftAlone) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  constexpr int64_t kBatch = 2, kQueries = 3, kMost = 40, kDim = 16;
  constexpr float kUntouched = 7;
  AttentionDecodeRequest request{.entry = "causal",
                                 .attend = patternOf("k <= q").heads[0].attend,
                                 .dtype = DType::F32,
                                 .headDim = kDim,
                                 .valueDim = kDim};
  request.target = targetOf(device);
  auto kernels = compile(request);
  ASSERT_TRUE(kernels) << kernels.error().render();
  std::vector<DecodePart> parts;
  parts.push_back({request, std::move(*kernels)});
  auto decode = AttentionDecode::load(device, std::move(parts));
  ASSERT_TRUE(decode) << decode.error().render();
  auto filled = [&](int64_t rows, auto value) {
    std::vector values(kBatch * rows * kDim, value);
    auto buffer = Buffer::upload(device, std::as_bytes(std::span(values)));
    EXPECT_TRUE(buffer);
    return std::move(*buffer);
  };
  auto tensor = [&](const Buffer &buffer, int64_t rows) {
    return Tensor{buffer.address(), buffer.bytes(), {rows * kDim, rows * kDim, kDim}};
  };
  Buffer q = filled(kQueries, 0.0F), k = filled(kMost, 0.0F), out = filled(kQueries, kUntouched);
  const int32_t lengths[] = {1, 5};
  auto ofLengths = Buffer::upload(device, std::as_bytes(std::span(lengths)));
  ASSERT_TRUE(ofLengths);
  auto plan = decode->prepare({.batch = kBatch, .nq = kQueries, .most = kMost}, {.count = 1});
  ASSERT_TRUE(plan) << plan.error().render();
  AttentionDecodeCall call{.q = tensor(q, kQueries),
                           .k = tensor(k, kMost),
                           .v = tensor(k, kMost),
                           .out = tensor(out, kQueries),
                           .lengths = {ofLengths->address(), ofLengths->bytes(), {}}};
  ASSERT_TRUE(decode->launch(*plan, call)); // of one slot: it needs no workspace
  ASSERT_TRUE(device.synchronize());
  std::vector<float> result(kBatch * kQueries * kDim);
  ASSERT_TRUE(device.copyToHost(result.data(), out.address(), result.size() * sizeof(float)));
  for (size_t i = 0; i < result.size(); ++i)
    EXPECT_EQ(result[i], i < 2 * kDim ? kUntouched : 0) << i;
}

TEST(Decode, WhatMayChangeIsRefused) {
  auto refused = [](const std::string &text) {
    auto ok = checkDecodable(patternOf(text).heads[0].attend, 100, {.count = 3});
    return ok ? "" : ok.error().message;
  };
  EXPECT_EQ(refused("k <= q"), "");
  EXPECT_EQ(
      refused("k <= q and k < n - 4"),
      "decode: expected a predicate that mentions neither n nor nq: what a query sees may not "
      "change while its sequence grows");
  EXPECT_EQ(refused("q - k < 4"),
            "decode: expected a causal predicate, found a query that sees a later key: it is not "
            "there yet");
  EXPECT_EQ(refused("k <= q or h == 2 and k == 70"),
            "decode: expected a causal predicate, found a query that sees a later key: it is not "
            "there yet");
}

} // namespace
} // namespace sparsec
