// Predicates as the mask code of kernels: 5,000 of them, a few hundred to a kernel, run on a device
// and held against evaluation.
//
// A kernel stores, for each of its predicates, a 16 x 16 tile of ones and zeros. Lengths, q0 and
// the head are arguments, so the same kernels run at small positions, negative ones, and at the
// ends of what a launch allows.
#include "codegen/CompileTileProgram.h"
#include "patterns/Evaluate.h"
#include "runtime/Buffer.h"
#include "runtime/Launch.h"
#include "tests/patterns/EnumeratePredicates.h"
#include "tests/verify/TestDevice.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec::testing {
namespace {

constexpr int kTile = 16, kTilesEachWay = 2, kPerKernel = 200, kPredicates = 5000;
constexpr int kBits = 20; // of one number: an f32 holds integers up to 2^24
constexpr size_t kElements = kTile * kTile * kTilesEachWay * kTilesEachWay; // of one group of kBits

size_t groups(std::span<const Expr> predicates) {
  return (predicates.size() + kBits - 1) / kBits;
}

/// out[key tile, group, query row, key within the tile]: key tiles are the grid's batch, from tile
/// `head_group` on.
std::string kernelText(std::span<const Expr> predicates) {
  std::string text = R"(
tile.kernel @masks(%out: !tile.view<f32, 3>, %layout: !tile.layout, %n: i32, %nq: i32, %q0: i32, %first: i32)
    args ["out", "layout", "n", "nq", "q0", "head_group"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %j = arith.addi %b, %first : i32
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<16>
  %row = tile.positions %qr : !tile.rows<16> -> tensor<16xi32>
  %q0s = tile.splat %q0 : i32 -> tensor<16xi32>
  %qp = arith.addi %row, %q0s : tensor<16xi32>
  %kp = tile.positions %kr : !tile.rows<16> -> tensor<16xi32>
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
)";
  for (size_t p = 0; p < predicates.size(); ++p) {
    text += fmt::format(
        R"(  %ok{0} = tile.predicate #sparsec.pattern<"{1}">(%h, %qp, %kp, %n, %nq) : tensor<16xi32>, tensor<16xi32> -> tensor<16x16xi1>
  %bit{0} = arith.constant dense<{2}.0> : tensor<16x16xf32>
  %t{0} = arith.select %ok{0}, %bit{0}, %zero : tensor<16x16xi1>, tensor<16x16xf32>
  %sum{0} = arith.addf %t{0}, {3} : tensor<16x16xf32>
)",
        p, print(predicates[p]), 1 << p % kBits,
        p % kBits ? fmt::format("%sum{}", p - 1) : std::string("%zero"));
    if (p % kBits == kBits - 1 || p + 1 == predicates.size())
      text += fmt::format(R"(  %g{0} = arith.constant {0} : i32
  tile.store %sum{1}, %out[%b, %g{0}, %qr] : tensor<16x16xf32>, !tile.view<f32, 3>, !tile.rows<16>
)",
                          p / kBits, p);
  }
  return text + "  tile.return\n}\n";
}

struct Launch {
  std::string_view where;
  int32_t h, nq, n, q0, firstKeyTile;
};

constexpr int32_t kEnd = INT32_MAX;
constexpr Launch kLaunches[] = {
    {"small, ragged", 2, 20, 27, 7, 0},
    {"negative positions", 5, 300, 1000, -17, 62},
    {"the lowest queries, the highest keys", (1 << 20) - 1, kEnd, kEnd, -kEnd, kEnd / kTile - 1},
    {"the highest queries", 7, kEnd, kEnd, kEnd - kTile *kTilesEachWay, 1000},
};

/// Random predicates of two to nine operators, and every so-manieth of the smallest.
std::vector<Expr> sample() {
  std::vector<Expr> all;
  uint64_t number = 0;
  forEachPredicateUpTo({.operators = 2}, [&](const Expr &predicate) {
    if (number++ % 37 == 0 && all.size() < kPredicates / 4)
      all.push_back(predicate);
  });
  RandomPredicates random(41);
  while (all.size() < kPredicates)
    all.push_back(random.predicate(2 + static_cast<int>(all.size() % 8)));
  return all;
}

class PredicatesOnDevice : public ::testing::Test {
protected:
  Result<std::vector<float>> run(Device &device, const Executable &kernel, const Kernel &compiled,
                                 const Launch &launch, size_t groups);
  void check(std::span<const Expr> predicates, const Launch &launch,
             const std::vector<float> &found);
};

/// What a launch leaves in `out`, whose elements were -1.
Result<std::vector<float>> PredicatesOnDevice::run(Device &device, const Executable &kernel,
                                                   const Kernel &compiled, const Launch &launch,
                                                   size_t groups) {
  std::vector<float> out(groups * kElements, -1.0f);
  std::array<int32_t, kTilesEachWay> order = {0, 1};
  Result<Buffer> outBuffer = Buffer::upload(device, std::as_bytes(std::span(out)));
  Result<Buffer> orderBuffer = Buffer::upload(device, std::as_bytes(std::span(order)));
  if (!outBuffer || !orderBuffer)
    return outBuffer ? orderBuffer.error() : outBuffer.error();

  int64_t ofGroup = kTile * kTile * kTilesEachWay;
  Arguments arguments(compiled.signature);
  auto slot = [&](std::string_view name) { return Slot(compiled.signature, name); };
  arguments.setPointer(slot("out"), outBuffer->address());
  arguments.set(slot("out_stride"),
                std::array<int64_t, 3>{ofGroup * static_cast<int64_t>(groups), ofGroup, kTile});
  arguments.setPointer(slot("row_order"), orderBuffer->address());
  arguments.set(slot("n"), launch.n);
  arguments.set(slot("nq"), launch.nq);
  arguments.set(slot("q0"), launch.q0);
  arguments.set(slot("head_first"), launch.h);
  arguments.set(slot("head_step"), int32_t(0));
  arguments.set(slot("head_group"), launch.firstKeyTile);
  const void *parameters[] = {arguments.data()};
  LaunchShape shape;
  shape.grid = {kTilesEachWay, 1, kTilesEachWay};
  shape.block[0] = static_cast<uint32_t>(compiled.threads);
  shape.sharedBytes = static_cast<uint32_t>(compiled.sharedBytes);
  if (Result<void> launched = device.launch(kernel, shape, parameters); !launched)
    return launched.error();
  if (Result<void> copied =
          device.copyToHost(out.data(), outBuffer->address(), out.size() * sizeof(float));
      !copied)
    return copied.error();
  return out;
}

void PredicatesOnDevice::check(std::span<const Expr> predicates, const Launch &launch,
                               const std::vector<float> &found) {
  constexpr int rows = kTile * kTilesEachWay;
  for (size_t p = 0; p < predicates.size(); ++p) {
    Evaluator evaluator(predicates[p], launch.h, {.nq = launch.nq, .nk = launch.n});
    for (int tile = 0; tile < kTilesEachWay; ++tile)
      for (int i = 0; i < rows; ++i)
        for (int j = 0; j < kTile; ++j) {
          int64_t q = int64_t(launch.q0) + i, k = (int64_t(launch.firstKeyTile) + tile) * kTile + j;
          bool truth = k < launch.n && evaluator.at(q, k);
          size_t at = ((tile * groups(predicates) + p / kBits) * rows + i) * kTile + j;
          if (i >= launch.nq) { // rows past nq are not written
            ASSERT_EQ(found[at], -1.0f);
            continue;
          }
          ASSERT_EQ(static_cast<int>(found[at]) >> p % kBits & 1, truth)
              << print(predicates[p]) << " at q " << q << " k " << k << " (" << launch.where << ")";
        }
  }
}

TEST_F(PredicatesOnDevice, AgreeWithEvaluation) {
  SPARSEC_OPEN_TEST_DEVICE(device);
  std::vector<Expr> all = sample();
  ASSERT_EQ(all.size(), size_t(kPredicates));
  for (size_t begin = 0; begin < all.size() && !HasFatalFailure(); begin += kPerKernel) {
    std::span<const Expr> batch(all.data() + begin,
                                std::min<size_t>(kPerKernel, all.size() - begin));
    Result<Kernel> compiled = compileTileProgram(kernelText(batch), "masks", targetOf(device));
    ASSERT_TRUE(compiled) << compiled.error().render();
    Result<std::unique_ptr<Executable>> kernel = device.load(compiled->code, "masks");
    ASSERT_TRUE(kernel) << kernel.error().render();
    for (const Launch &launch : kLaunches) {
      Result<std::vector<float>> found = run(device, **kernel, *compiled, launch, groups(batch));
      ASSERT_TRUE(found) << found.error().render();
      ASSERT_NO_FATAL_FAILURE(check(batch, launch, *found));
    }
  }
}

} // namespace
} // namespace sparsec::testing
