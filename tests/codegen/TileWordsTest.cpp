// Words of tile programs that no pattern needs, each in a small program on a device: random bits,
// numbers in memory, integers that are widened, gathered rows.
#include "kernel/Random.h"
#include "tests/codegen/Program.h"

#include <cmath>

namespace sparsec {
namespace {

using testing::Program;

class TileWords : public ::testing::Test {
protected:
  void SetUp() override {
    auto opened = testing::openTestDevice();
    SPARSEC_SKIP_WITHOUT(opened);
    device = std::move(*opened);
  }
  std::unique_ptr<Device> device;
};

/// The second tile is ragged: 100 rows.
TEST_F(TileWords, RandomBitsAreThoseOfTheHost) {
  Program program(*device, R"(
tile.kernel @program(%seed: !tile.view<i64, 0>, %matrix: !tile.view<i32, 3>, %vector: !tile.view<i32, 2>,
                     %items: i32, %rows: i32) args ["seed", "matrix", "vector", "items", "rows"] {
  %item = tile.work range of %items : i32
  %zero = arith.constant 0 : i32
  %two = arith.constant 2 : i32
  %s = tile.scalar %seed[%two] : !tile.view<i64, 0> -> i64
  %r = tile.rows #tile.order<natural>[%item] of %rows : !tile.rows<64>
  %p = tile.positions %r : !tile.rows<64> -> tensor<64xi32>
  %three = arith.constant 3 : i32
  %many = arith.constant 1000 : i32
  %c = tile.rows #tile.order<natural>[%three] of %many : !tile.rows<32>
  %cp = tile.positions %c : !tile.rows<32> -> tensor<32xi32>
  %m = tile.random %s(%p, %cp) : tensor<64xi32>, tensor<32xi32> -> tensor<64x32xi32>
  tile.store %m, %matrix[%zero, %zero, %r] : tensor<64x32xi32>, !tile.view<i32, 3>, !tile.rows<64>
  %v = tile.random %s(%p) : tensor<64xi32> -> tensor<64xi32>
  tile.store %v, %vector[%zero, %zero, %r] : tensor<64xi32>, !tile.view<i32, 2>, !tile.rows<64>
  tile.return
})");
  ASSERT_FALSE(HasFailure());
  constexpr int kRows = 100, kColumns = 32, kFirstColumn = 96;
  constexpr int64_t kSeed = 0x0370734493198a2e;
  program.tensor("seed", std::vector<int64_t>{1, 2, kSeed});
  program.tensor("matrix", std::vector<int32_t>((kRows + 1) * kColumns), {0, 0, kColumns});
  program.tensor("vector", std::vector<int32_t>(kRows + 1), {0, 0});
  program.set("items", 2);
  program.set("rows", kRows);
  program.run(2);
  auto matrix = program.read<int32_t>("matrix"), vector = program.read<int32_t>("vector");
  for (int row = 0; row < kRows; ++row) {
    EXPECT_EQ(uint32_t(vector[row]), randomBits(kSeed, row, 0)) << row;
    for (int column = 0; column < kColumns; ++column)
      EXPECT_EQ(uint32_t(matrix[row * kColumns + column]),
                randomBits(kSeed, row, kFirstColumn + column))
          << row << ", " << column;
  }
  EXPECT_EQ(vector[kRows], 0);
  EXPECT_EQ(matrix[kRows * kColumns], 0);
}

/// out[t] = scale table[token[t]]; tokens that are no row of the table give 0.
std::string gatherText(const std::string &token) {
  return R"(
tile.kernel @program(%token: !tile.view<)" +
         token + R"(, 2>, %table: !tile.view<f32, 3>, %out: !tile.view<f32, 3>,
                     %scale: !tile.view<f32, 0>, %items: i32, %rows: i32, %classes: i32)
    args ["token", "table", "out", "scale", "items", "rows", "classes"] {
  %item = tile.work range of %items : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %r = tile.rows #tile.order<natural>[%item] of %rows : !tile.rows<32>
  %t = tile.load %token[%zero, %zero, %r] : !tile.view<)" +
         token + R"(, 2>, !tile.rows<32> -> tensor<32xi32>
  %classess = tile.splat %classes : i32 -> tensor<32xi32>
  %none = arith.constant dense<2147483647> : tensor<32xi32>
  %known = arith.cmpi ult, %t, %classess : tensor<32xi32>
  %at = arith.select %known, %t, %none : tensor<32xi1>, tensor<32xi32>
  %size = arith.constant 30 : i32
  %g = tile.rows_at %at count %size : tensor<32xi32> -> !tile.rows<32 by gathered>
  %x = tile.load %table[%zero, %zero, %g] : !tile.view<f32, 3>, !tile.rows<32 by gathered> -> tensor<32x16xf32>
  %s = tile.scalar %scale[%one] : !tile.view<f32, 0> -> f32
  %ss = tile.splat %s : f32 -> tensor<32x16xf32>
  %y = arith.mulf %x, %ss : tensor<32x16xf32>
  tile.store %y, %out[%zero, %zero, %r] : tensor<32x16xf32>, !tile.view<f32, 3>, !tile.rows<32>
  tile.return
})";
}

template <class Token>
void gather(Device &device, const std::string &type) {
  Program program(device, gatherText(type));
  ASSERT_FALSE(::testing::Test::HasFailure());
  constexpr int kRows = 50, kColumns = 16, kClasses = 200, kPitch = 20;
  std::vector<Token> token(kRows);
  for (int t = 0; t < kRows; ++t)
    token[t] = Token(t * 37 % 210); // some are no class
  std::vector<float> table(kClasses * kPitch);
  for (size_t i = 0; i < table.size(); ++i)
    table[i] = float(i);
  program.tensor("token", token, {0, 0});
  program.tensor("table", table, {0, 0, kPitch});
  program.tensor("out", std::vector<float>(kRows * kColumns, -1), {0, 0, kColumns});
  program.tensor("scale", std::vector<float>{7, 0.5f});
  program.set("items", 2);
  program.set("rows", kRows);
  program.set("classes", kClasses);
  program.run(2);
  auto out = program.read<float>("out");
  for (int t = 0; t < kRows; ++t)
    for (int column = 0; column < kColumns; ++column) {
      bool exists = token[t] < kClasses && t % 32 < 30;
      EXPECT_EQ(out[t * kColumns + column],
                exists ? 0.5f * table[token[t] * kPitch + column] : 0.0f)
          << t << ", " << column;
    }
}

TEST_F(TileWords, BytesGatherRows) {
  gather<uint8_t>(*device, "i8");
}
TEST_F(TileWords, IntegersGatherRows) {
  gather<int32_t>(*device, "i32");
}

/// A number is read before it is written, a sum leaves a tile, and loops carry numbers.
TEST_F(TileWords, NumbersAreReadAndWritten) {
  Program program(*device, R"(
tile.kernel @program(%x: !tile.view<f32, 3>, %state: !tile.view<f32, 0>, %count: !tile.view<i32, 0>, %items: i32)
    args ["x", "state", "count", "items"] {
  %item = tile.work range of %items : i32
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %rows = arith.constant 13 : i32
  %steps = tile.scalar %count[%item] : !tile.view<i32, 0> -> i32
  %before = tile.scalar %state[%item] : !tile.view<f32, 0> -> f32
  %r = tile.rows #tile.order<natural>[%zero] of %rows : !tile.rows<16>
  %t = tile.load %x[%item, %zero, %r] : !tile.view<f32, 3>, !tile.rows<16> -> tensor<16x16xf32>
  %v = tile.reduce sum %t {dim = 1} : tensor<16x16xf32> -> tensor<16xf32>
  %s = tile.reduce sum %v {dim = 0} : tensor<16xf32> -> f32
  %two = arith.constant 2.0 : f32
  %power = scf.for %i = %zero to %steps step %one iter_args(%p = %before) -> (f32) : i32 {
    %next = arith.mulf %p, %two : f32
    scf.yield %next : f32
  }
  %sum = arith.addf %power, %s : f32
  %more = arith.addi %steps, %one : i32
  tile.store_scalar %sum, %state[%item] : f32, !tile.view<f32, 0>
  tile.store_scalar %more, %count[%item] : i32, !tile.view<i32, 0>
  tile.return
})");
  ASSERT_FALSE(HasFailure());
  std::vector<float> x(3 * 16 * 16);
  std::vector<double> sums(3);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = float(i % 23) - 7;
    if (i / 16 % 16 < 13)
      sums[i / 256] += x[i];
  }
  std::vector<float> state = {1, 2, 3};
  std::vector<int32_t> count = {0, 1, 5};
  program.tensor("x", x, {256, 0, 16});
  program.tensor("state", state);
  program.tensor("count", count);
  program.set("items", 3);
  program.run(3);
  auto now = program.read<float>("state");
  auto counts = program.read<int32_t>("count");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(now[i], float(std::ldexp(state[i], count[i]) + sums[i])) << i;
    EXPECT_EQ(counts[i], count[i] + 1);
  }
}

} // namespace
} // namespace sparsec
