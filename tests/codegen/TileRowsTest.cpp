// Kernels without products on tiles by columns, held against plain loops in f64: rows are summed up
// in folds and columns once. Sizes end inside tiles; rows lie on multiples of 16 bytes or on any
// element.
#include "tests/codegen/Values.h"

#include <cmath>
#include <fmt/format.h>

namespace sparsec {
namespace {

using namespace testing;

//===-- Rows ----------------------------------------------------------------------------------===//

struct RowsCase {
  DType type;
  int64_t rows, columns, gap;
  int64_t tileRows, tileColumns;
};

std::string rowsName(const ::testing::TestParamInfo<RowsCase> &info) {
  const RowsCase &c = info.param;
  return fmt::format("{}_{}x{}_gap{}_tile{}x{}", name(c.type), c.rows, c.columns, c.gap, c.tileRows,
                     c.tileColumns);
}

/// Two folds one after another: the largest number and the sum of each row; y = x / sum + largest,
/// and the sums down the columns of each tile of x, and the item's sum of all its rows' sums.
constexpr const char *kRowsText = R"(
tile.kernel @program(%x: !tile.view<TYPE, 1>, %gain: !tile.view<f32, 0>, %y: !tile.view<TYPE, 1>,
                     %most: !tile.view<f32, 0>, %parts: !tile.view<f32, 1>, %total: !tile.view<f32, 0>,
                     %items: i32, %steps: i32, %rows: i32, %columns: i32)
    args ["x", "gain", "y", "most", "parts", "total", "items", "steps", "rows", "columns"] {
  %item = tile.work range of %items : i32
  %zero = arith.constant 0 : i32
  %zeros = arith.constant dense<0.0> : tensor<Rxf32>
  %least = arith.constant dense<0xFF800000> : tensor<Rxf32>
  %r = tile.rows #tile.order<natural>[%item] of %rows : !tile.rows<R>
  %all = tile.range %zero to %steps : !tile.blocks
  %sum, %largest = tile.fold %s in %all init(%zeros, %least) : tensor<Rxf32>, tensor<Rxf32> fetch {
    %c = tile.rows #tile.order<natural>[%s] of %columns : !tile.rows<C>
    %t = tile.load %x[%r, cols %c] : !tile.view<TYPE, 1>, !tile.rows<R>, !tile.rows<C> -> tensor<RxCxTYPE>
    WIDEN
    tile.yield %f : tensor<RxCxf32>
  } lead(%f) {
    tile.yield
  } step(%f, %before, %most0) {
    %s0 = tile.reduce sum %f {dim = 1} : tensor<RxCxf32> -> tensor<Rxf32>
    %m0 = tile.reduce max %f {dim = 1} : tensor<RxCxf32> -> tensor<Rxf32>
    %s1 = arith.addf %before, %s0 : tensor<Rxf32>
    %m1 = arith.maximumf %most0, %m0 : tensor<Rxf32>
    tile.yield %s1, %m1 : tensor<Rxf32>, tensor<Rxf32>
  }
  tile.store %largest, %most[%r] : tensor<Rxf32>, !tile.view<f32, 0>, !tile.rows<R>
  %sumall = tile.reduce sum %sum {dim = 0} : tensor<Rxf32> -> f32
  tile.store_scalar %sumall, %total[%item] : f32, !tile.view<f32, 0>
  %sums = tile.expand %sum {dim = 1} : tensor<Rxf32> -> tensor<RxCxf32>
  %largests = tile.expand %largest {dim = 1} : tensor<Rxf32> -> tensor<RxCxf32>
  tile.fold %s in %all init() fetch {
    %c = tile.rows #tile.order<natural>[%s] of %columns : !tile.rows<C>
    %t = tile.load %x[%r, cols %c] : !tile.view<TYPE, 1>, !tile.rows<R>, !tile.rows<C> -> tensor<RxCxTYPE>
    %g = tile.load %gain[%c] : !tile.view<f32, 0>, !tile.rows<C> -> tensor<Cxf32>
    WIDEN
    tile.yield %c, %f, %g : !tile.rows<C>, tensor<RxCxf32>, tensor<Cxf32>
  } lead(%c, %f, %g) {
    tile.yield
  } step(%c, %f, %g) {
    %down = tile.reduce sum %f {dim = 0} : tensor<RxCxf32> -> tensor<Cxf32>
    tile.store %down, %parts[%item, %c] : tensor<Cxf32>, !tile.view<f32, 1>, !tile.rows<C>
    %gs = tile.expand %g {dim = 0} : tensor<Cxf32> -> tensor<RxCxf32>
    %q = arith.divf %f, %sums : tensor<RxCxf32>
    %of = math.fma %q, %gs, %largests : tensor<RxCxf32>
    NARROW
    tile.store %o, %y[%r, cols %c] : tensor<RxCxTYPE>, !tile.view<TYPE, 1>, !tile.rows<R>, !tile.rows<C>
    tile.yield
  }
  tile.return
})";

std::string rowsText(const RowsCase &c) {
  std::string text = kRowsText;
  auto put = [&](const std::string &from, const std::string &to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  };
  bool wide = c.type == DType::F32;
  put("WIDEN", wide ? "%nothing = arith.constant dense<-0.0> : tensor<RxCxf32>\n"
                      "%f = arith.addf %t, %nothing : tensor<RxCxf32>"
                    : "%f = arith.extf %t : tensor<RxCxTYPE> to tensor<RxCxf32>");
  put("NARROW", wide ? "%nothing2 = arith.constant dense<-0.0> : tensor<RxCxf32>\n"
                       "%o = arith.addf %of, %nothing2 : tensor<RxCxf32>"
                     : "%o = arith.truncf %of : tensor<RxCxf32> to tensor<RxCxTYPE>");
  put("TYPE", std::string(name(c.type)));
  put("tensor<RxC", fmt::format("tensor<{}x{}", c.tileRows, c.tileColumns));
  put("tensor<R", fmt::format("tensor<{}", c.tileRows));
  put("tensor<C", fmt::format("tensor<{}", c.tileColumns));
  put("rows<R>", fmt::format("rows<{}>", c.tileRows));
  put("rows<C>", fmt::format("rows<{}>", c.tileColumns));
  return text;
}

class TileRows : public ::testing::TestWithParam<RowsCase> {};

TEST_P(TileRows, AgreeWithPlainLoops) {
  auto device = openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  const RowsCase &c = GetParam();
  if ((*device)->name() == "cpu" && c.tileRows % 16)
    GTEST_SKIP() << "CPU code has tiles of 16 rows";
  Program program(**device, rowsText(c));
  ASSERT_FALSE(HasFailure()) << rowsText(c);
  int64_t pitch = c.columns + c.gap;
  auto items = int32_t((c.rows + c.tileRows - 1) / c.tileRows);
  // Sums far from 0.
  std::vector<float> numbers(c.rows * pitch);
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = 1 + float(i * 37 % 101) / 64;
  Values x(c.type, numbers), gain = random(DType::F32, c.columns, 3);
  x.bind(program, "x", {pitch});
  gain.bind(program, "gain", {});
  Values(c.type, untouched(c.rows * pitch)).bind(program, "y", {pitch});
  program.tensor("most", untouched(c.rows + 1));
  program.tensor("parts", untouched(items * pitch), {pitch});
  program.tensor("total", untouched(items));
  program.set("items", items);
  program.set("steps", int32_t((c.columns + c.tileColumns - 1) / c.tileColumns));
  program.set("rows", int32_t(c.rows));
  program.set("columns", int32_t(c.columns));
  program.run(items);
  std::vector<float> y = Values::read(program, "y", c.type), most = program.read<float>("most");
  std::vector<float> parts = program.read<float>("parts"), total = program.read<float>("total");
  std::vector<double> expectedParts(items * pitch), expectedTotal(items);
  double bound = double(c.columns + 1) * 0x1p-23;
  for (int64_t i = 0; i < c.rows; ++i) {
    double sum = 0, largest = -1e30;
    for (int64_t j = 0; j < c.columns; ++j) {
      sum += x[i * pitch + j], largest = std::max(largest, x[i * pitch + j]);
      expectedParts[i / c.tileRows * pitch + j] += x[i * pitch + j];
    }
    expectedTotal[i / c.tileRows] += sum;
    EXPECT_EQ(most[i], float(largest)) << i;
    for (int64_t j = 0; j < pitch; ++j)
      if (j >= c.columns) {
        ASSERT_EQ(y[i * pitch + j], kUntouched);
      } else {
        double expected = x[i * pitch + j] / sum * gain[j] + largest;
        ASSERT_NEAR(y[i * pitch + j], expected, std::abs(expected) * (bound + 2 * unit(c.type)))
            << i << ", " << j;
      }
  }
  EXPECT_EQ(most[c.rows], kUntouched);
  for (int64_t item = 0; item < items; ++item) {
    ASSERT_NEAR(total[item], expectedTotal[item], expectedTotal[item] * bound * double(c.tileRows));
    for (int64_t j = 0; j < pitch; ++j)
      if (j >= c.columns)
        ASSERT_EQ(parts[item * pitch + j], kUntouched) << item << ", " << j;
      else
        ASSERT_NEAR(parts[item * pitch + j], expectedParts[item * pitch + j],
                    expectedParts[item * pitch + j] * double(c.tileRows) * 0x1p-23)
            << item << ", " << j;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, TileRows,
    ::testing::Values(RowsCase{DType::F32, 20, 512, 0, 16, 256},  // whole tiles, runs of 16 bytes
                      RowsCase{DType::BF16, 20, 504, 0, 16, 256}, // ends with a run
                      RowsCase{DType::BF16, 33, 100, 0, 32, 64},  // rows on any element
                      RowsCase{DType::F16, 17, 300, 4, 16, 128},  // runs, but ends inside one
                      RowsCase{DType::F32, 9, 77, 3, 16, 48},     // lanes down a column
                      RowsCase{DType::F32, 5, 1000, 0, 4, 512},   // few rows
                      RowsCase{DType::BF16, 70, 16, 0, 64, 16}),  // narrow ones
    rowsName);

} // namespace
} // namespace sparsec
