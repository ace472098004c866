// Products of tiles by columns, each case a small program on the device of the test, held against
// plain loops in f64: of two fetched tiles in every orientation and type, and of tiles that stay.
// Sizes end inside tiles; rows lie on multiples of 16 bytes or on any element.
#include "tests/codegen/Values.h"

#include <cmath>
#include <fmt/format.h>

namespace sparsec {
namespace {

using namespace testing;

//===-- Products ------------------------------------------------------------------------------===//

struct ProductCase {
  DType type;
  bool lhsT, rhsT;
  int64_t m, n, k;
  int64_t gap = 0; ///< elements between the rows of every matrix
  int64_t rows = 64, columns = 64, depth = 32;
};

std::string nameOf(const ::testing::TestParamInfo<ProductCase> &info) {
  const ProductCase &c = info.param;
  return fmt::format("{}_{}{}_{}x{}x{}_gap{}_tile{}x{}x{}", name(c.type), c.lhsT ? "T" : "N",
                     c.rhsT ? "T" : "N", c.m, c.n, c.k, c.gap, c.rows, c.columns, c.depth);
}

/// y = gelu(a b + bias) + residual, where gelu(x) = x / (1 + exp(-1.702 x)).
std::string productText(const ProductCase &c) {
  auto flags = fmt::format("{}{}{}", c.lhsT ? "lhs_t" : "", c.lhsT && c.rhsT ? ", " : "",
                           c.rhsT ? "rhs_t" : "");
  std::string text = R"(
tile.kernel @program(%a: !tile.view<TYPE, 1>, %b: !tile.view<TYPE, 1>, %bias: !tile.view<f32, 0>,
                     %residual: !tile.view<TYPE, 1>, %y: !tile.view<TYPE, 1>, %items: i32, %across: i32, %steps: i32,
                     %m: i32, %n: i32, %k: i32)
    args ["a", "b", "bias", "residual", "y", "items", "across", "steps", "m", "n", "k"] {
  %item = tile.work range of %items : i32
  %i = arith.divui %item, %across : i32
  %j = arith.remui %item, %across : i32
  %zero = arith.constant 0 : i32
  %zeros = arith.constant dense<0.0> : tensor<MxNxf32>
  %ir = tile.rows #tile.order<natural>[%i] of %m : !tile.rows<M>
  %jr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<N>
  %all = tile.range %zero to %steps : !tile.blocks
  %sum = tile.fold %s in %all init(%zeros) : tensor<MxNxf32> fetch {
    %sr = tile.rows #tile.order<natural>[%s] of %k : !tile.rows<K>
    %at = tile.load %a[%AR, cols %AC] : !tile.view<TYPE, 1>, !tile.rows<A0>, !tile.rows<A1> -> tensor<A0xA1xTYPE>
    %bt = tile.load %b[%BR, cols %BC] : !tile.view<TYPE, 1>, !tile.rows<B0>, !tile.rows<B1> -> tensor<B0xB1xTYPE>
    tile.yield %at, %bt : tensor<A0xA1xTYPE>, tensor<B0xB1xTYPE>
  } lead(%at, %bt) {
    tile.yield
  } step(%at, %bt, %acc) {
    %next = tile.dot %at, %bt acc(%acc : tensor<MxNxf32>) {FLAGS} : tensor<A0xA1xTYPE>, tensor<B0xB1xTYPE> -> tensor<MxNxf32>
    tile.yield %next : tensor<MxNxf32>
  }
  %bv = tile.load %bias[%jr] : !tile.view<f32, 0>, !tile.rows<N> -> tensor<Nxf32>
  %bm = tile.expand %bv {dim = 0} : tensor<Nxf32> -> tensor<MxNxf32>
  %x = arith.addf %sum, %bm : tensor<MxNxf32>
  %c = arith.constant dense<-1.702> : tensor<MxNxf32>
  %one = arith.constant dense<1.0> : tensor<MxNxf32>
  %xc = arith.mulf %x, %c : tensor<MxNxf32>
  %e = math.exp %xc : tensor<MxNxf32>
  %e1 = arith.addf %e, %one : tensor<MxNxf32>
  %g = arith.divf %x, %e1 : tensor<MxNxf32>
  %rt = tile.load %residual[%ir, cols %jr] : !tile.view<TYPE, 1>, !tile.rows<M>, !tile.rows<N> -> tensor<MxNxTYPE>
)";
  bool wide = c.type == DType::F32;
  text += wide ? R"(  %o = arith.addf %g, %rt : tensor<MxNxf32>
)"
               : R"(  %rw = arith.extf %rt : tensor<MxNxTYPE> to tensor<MxNxf32>
  %of = arith.addf %g, %rw : tensor<MxNxf32>
  %o = arith.truncf %of : tensor<MxNxf32> to tensor<MxNxTYPE>
)";
  text +=
      R"(  tile.store %o, %y[%ir, cols %jr] : tensor<MxNxTYPE>, !tile.view<TYPE, 1>, !tile.rows<M>, !tile.rows<N>
  tile.return
})";
  auto put = [&](const std::string &from, const std::string &to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  };
  put("TYPE", std::string(name(c.type)));
  put("FLAGS", flags);
  put("%AR", c.lhsT ? "%sr" : "%ir");
  put("%AC", c.lhsT ? "%ir" : "%sr");
  put("%BR", c.rhsT ? "%jr" : "%sr");
  put("%BC", c.rhsT ? "%sr" : "%jr");
  put("A0", std::to_string(c.lhsT ? c.depth : c.rows));
  put("A1", std::to_string(c.lhsT ? c.rows : c.depth));
  put("B0", std::to_string(c.rhsT ? c.columns : c.depth));
  put("B1", std::to_string(c.rhsT ? c.depth : c.columns));
  put("tensor<MxN", fmt::format("tensor<{}x{}", c.rows, c.columns));
  put("rows<M>", fmt::format("rows<{}>", c.rows));
  put("rows<N>", fmt::format("rows<{}>", c.columns));
  put("rows<K>", fmt::format("rows<{}>", c.depth));
  put("tensor<N", fmt::format("tensor<{}", c.columns));
  return text;
}

class TileProducts : public ::testing::TestWithParam<ProductCase> {};

TEST_P(TileProducts, AgreeWithPlainLoops) {
  auto device = openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  const ProductCase &c = GetParam();
  Program program(**device, productText(c));
  ASSERT_FALSE(HasFailure()) << productText(c);
  int64_t aPitch = (c.lhsT ? c.m : c.k) + c.gap, bPitch = (c.rhsT ? c.k : c.n) + c.gap;
  int64_t pitch = c.n + c.gap;
  Values a = random(c.type, (c.lhsT ? c.k : c.m) * aPitch, 1);
  Values b = random(c.type, (c.rhsT ? c.n : c.k) * bPitch, 2);
  Values bias = random(DType::F32, c.n, 3), residual = random(c.type, c.m * pitch, 4);
  a.bind(program, "a", {aPitch});
  b.bind(program, "b", {bPitch});
  bias.bind(program, "bias", {});
  residual.bind(program, "residual", {pitch});
  Values(c.type, untouched(c.m * pitch)).bind(program, "y", {pitch});
  auto tiles = [](int64_t size, int64_t tile) { return int32_t((size + tile - 1) / tile); };
  int32_t across = tiles(c.n, c.columns), items = tiles(c.m, c.rows) * across;
  program.set("items", items);
  program.set("across", across);
  program.set("steps", tiles(c.k, c.depth));
  program.set("m", int32_t(c.m));
  program.set("n", int32_t(c.n));
  program.set("k", int32_t(c.k));
  program.run(items);
  std::vector<float> y = Values::read(program, "y", c.type);
  for (int64_t i = 0; i < c.m; ++i) {
    for (int64_t j = 0; j < c.n; ++j) {
      double x = bias[j], size = std::abs(x);
      for (int64_t k = 0; k < c.k; ++k) {
        double term = a[c.lhsT ? k * aPitch + i : i * aPitch + k] *
                      b[c.rhsT ? j * bPitch + k : k * bPitch + j];
        x += term, size += std::abs(term);
      }
      double expected = x / (1 + std::exp(-1.702 * x)) + residual[i * pitch + j];
      // Sums are f32 and may round towards zero; gelu's slope is at most 1.1.
      double bound = size * double(c.k + 8) * 0x1p-23 + 2 * unit(c.type) * std::abs(expected);
      ASSERT_NEAR(y[i * pitch + j], expected, bound) << i << ", " << j;
    }
    for (int64_t j = c.n; j < pitch; ++j)
      ASSERT_EQ(y[i * pitch + j], kUntouched) << i << ", " << j;
  }
}

std::vector<ProductCase> productCases() {
  std::vector<ProductCase> cases;
  for (DType type : {DType::BF16, DType::F16, DType::F32})
    for (bool lhsT : {false, true})
      for (bool rhsT : {false, true}) {
        if (type == DType::F16 && lhsT == rhsT)
          continue;
        cases.push_back({type, lhsT, rhsT, 72, 80, 48});    // rows of 16 bytes
        cases.push_back({type, lhsT, rhsT, 66, 71, 37, 0}); // of any
        cases.push_back({type, lhsT, rhsT, 50, 40, 35, 5, 32, 48, 16});
      }
  cases.push_back({DType::BF16, false, true, 130, 70, 200, 8, 128, 64, 64});
  cases.push_back({DType::BF16, true, false, 130, 129, 100, 2, 128, 128, 64});
  cases.push_back({DType::F32, true, false, 60, 60, 130, 0, 64, 64, 64});
  cases.push_back({DType::F32, false, true, 60, 60, 260, 0, 64, 32, 128});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, TileProducts, ::testing::ValuesIn(productCases()), nameOf);

/// A left operand that stays for the whole kernel, and right ones that are fetched for each step,
/// or stay too: then nothing is copied in the loop. y = sum over steps of a b, or of a b's first
/// rows.
class TilesThatStay : public ::testing::TestWithParam<std::tuple<DType, bool>> {};

TEST_P(TilesThatStay, AgreeWithPlainLoops) {
  auto device = openTestDevice();
  SPARSEC_SKIP_WITHOUT(device);
  auto [type, both] = GetParam();
  std::string load = R"(
    %br = tile.rows #tile.order<natural>[INDEX] of %k : !tile.rows<32>
    %bt = tile.load %b[%br, cols %c] : !tile.view<TYPE, 1>, !tile.rows<32>, !tile.rows<48> -> tensor<32x48xTYPE>
)";
  std::string text = R"(
tile.kernel @program(%a: !tile.view<TYPE, 1>, %b: !tile.view<TYPE, 1>, %y: !tile.view<f32, 1>, %steps: i32, %k: i32,
                     %m: i32, %n: i32) args ["a", "b", "y", "steps", "k", "m", "n"] {
  %zero = arith.constant 0 : i32
  %zeros = arith.constant dense<0.0> : tensor<32x48xf32>
  %r = tile.rows #tile.order<natural>[%zero] of %m : !tile.rows<32>
  %c = tile.rows #tile.order<natural>[%zero] of %n : !tile.rows<48>
  %at = tile.load %a[%r, cols %r] : !tile.view<TYPE, 1>, !tile.rows<32>, !tile.rows<32> -> tensor<32x32xTYPE>
  OUTSIDE
  %all = tile.range %zero to %steps : !tile.blocks
  %sum = tile.fold %s in %all init(%zeros) : tensor<32x48xf32> fetch {
    INSIDE
    tile.yield YIELDED
  } lead(GIVEN) {
    tile.yield
  } step(GIVEN COMMA %acc) {
    %next = tile.dot %at, RIGHT acc(%acc : tensor<32x48xf32>) : tensor<32x32xTYPE>, tensor<32x48xTYPE> -> tensor<32x48xf32>
    tile.yield %next : tensor<32x48xf32>
  }
  tile.store %sum, %y[%r, cols %c] : tensor<32x48xf32>, !tile.view<f32, 1>, !tile.rows<32>, !tile.rows<48>
  tile.return
})";
  auto put = [&](const std::string &from, const std::string &to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  };
  put("OUTSIDE", both ? load : "");
  put("INSIDE", both ? "" : load);
  put("INDEX", both ? "%zero" : "%s");
  put("YIELDED", both ? "" : "%bt : tensor<32x48xTYPE>");
  put("GIVEN COMMA", both ? "" : "%given,");
  put("GIVEN", both ? "" : "%given");
  put("RIGHT", both ? "%bt" : "%given");
  put("TYPE", std::string(name(type)));
  Program program(**device, text);
  ASSERT_FALSE(HasFailure()) << text;
  constexpr int kSteps = 3, kRows = 32, kColumns = 48, kDepth = 32;
  Values a = random(type, kRows * kDepth, 1), b = random(type, kSteps * kDepth * kColumns, 2);
  a.bind(program, "a", {kDepth});
  b.bind(program, "b", {kColumns});
  program.tensor("y", untouched(kRows * kColumns), {kColumns});
  program.set("steps", kSteps);
  program.set("k", kSteps * kDepth);
  program.set("m", kRows);
  program.set("n", kColumns);
  program.run(1);
  std::vector<float> y = program.read<float>("y");
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kColumns; ++j) {
      double sum = 0, size = 0;
      for (int k = 0; k < kSteps * kDepth; ++k) {
        double term = a[i * kDepth + k % kDepth] * b[(both ? k % kDepth : k) * kColumns + j];
        sum += term, size += std::abs(term);
      }
      ASSERT_NEAR(y[i * kColumns + j], sum, size * kSteps * kDepth * 0x1p-23) << i << ", " << j;
    }
}

INSTANTIATE_TEST_SUITE_P(All, TilesThatStay,
                         ::testing::Combine(::testing::Values(DType::BF16, DType::F32),
                                            ::testing::Bool()),
                         [](const auto &info) {
                           return fmt::format("{}_{}", name(std::get<0>(info.param)),
                                              std::get<1>(info.param) ? "both" : "left");
                         });

} // namespace
} // namespace sparsec
