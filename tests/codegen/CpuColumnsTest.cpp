// Tile programs of matrices whose columns are tiles of an axis too, on every CPU level that this
// machine runs: loads and stores of columns, sums of rows and of columns, folds one after the
// other. Memory that does not exist reads as 0 and is not written.
#include "codegen/CompileTileProgram.h"
#include "codegen/cpu/Level.h"
#include "runtime/Float16.h"
#include "runtime/Launch.h"
#include "runtime/cpu/CpuDevice.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <random>

namespace sparsec {
namespace {

constexpr float kOutside = -7777; ///< what lies around a matrix

/// A matrix in memory, with a few numbers between its rows and around it.
struct Stored {
  DType type = DType::F32;
  int64_t rows = 0, columns = 0;
  std::vector<float> values; ///< [rows, columns]
  int64_t gap = 3;

  std::vector<std::byte> bytes() const {
    std::vector<std::byte> image;
    auto put = [&](float value) {
      uint16_t half = type == DType::BF16 ? floatToBf16(value) : floatToF16(value);
      auto *from = type == DType::F32 ? reinterpret_cast<std::byte *>(&value)
                                      : reinterpret_cast<std::byte *>(&half);
      image.insert(image.end(), from, from + (type == DType::F32 ? 4 : 2));
    };
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column)
        put(values[row * columns + column]);
      for (int64_t i = 0; i < gap; ++i)
        put(kOutside);
    }
    return image;
  }
  /// The values back; whether what lies around is as it was.
  bool read(std::span<const std::byte> image) {
    auto get = [&](int64_t at) {
      if (type == DType::F32) {
        float value;
        std::memcpy(&value, image.data() + 4 * at, 4);
        return value;
      }
      uint16_t half;
      std::memcpy(&half, image.data() + 2 * at, 2);
      return type == DType::BF16 ? bf16ToFloat(half) : f16ToFloat(half);
    };
    bool intact = true;
    float outside = Stored{.type = type}.rounded(kOutside);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns + gap; ++column) {
        float value = get(row * (columns + gap) + column);
        if (column < columns)
          values[row * columns + column] = value;
        else
          intact &= value == outside;
      }
    return intact;
  }
  float rounded(float value) const {
    return type == DType::BF16  ? bf16ToFloat(floatToBf16(value))
           : type == DType::F16 ? f16ToFloat(floatToF16(value))
                                : value;
  }
};

Stored matrix(DType type, int64_t rows, int64_t columns, int seed) {
  Stored made{.type = type, .rows = rows, .columns = columns, .values = {}};
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < rows * columns; ++i)
    made.values.push_back(made.rounded(normal(random)));
  return made;
}

class CpuColumns : public ::testing::TestWithParam<std::string> {
protected:
  /// Runs all items of `text`; matrices are read back.
  void run(const std::string &text, std::map<std::string, Stored *> matrices,
           const std::map<std::string, int32_t> &numbers, int64_t items) {
    Kernel *kernel = &kernels[text];
    if (kernel->code.empty()) {
      auto made = compileTileProgram(text, "program", *findTarget("cpu-" + GetParam()));
      ASSERT_TRUE(made) << made.error().render() << text;
      *kernel = std::move(*made);
    }
    std::unique_ptr<Device> device = openCpuDevice({.threads = 2});
    auto executable = device->load(kernel->code, "program");
    ASSERT_TRUE(executable) << executable.error().render();
    Arguments arguments(kernel->signature);
    std::map<std::string, std::vector<std::byte>> images;
    for (auto &[name, stored] : matrices) {
      images[name] = stored->bytes();
      arguments.setView(ViewSlot(kernel->signature, name),
                        reinterpret_cast<DeviceAddress>(images[name].data()),
                        std::array<int64_t, 1>{stored->columns + stored->gap});
    }
    for (const auto &[name, number] : numbers)
      arguments.set(Slot(kernel->signature, name), number);
    const void *parameters[] = {arguments.data()};
    auto launched = device->launch(**executable, launchShape(*kernel, items, 1, 1), parameters);
    ASSERT_TRUE(launched) << launched.error().render();
    ASSERT_TRUE(device->synchronize());
    for (auto &[name, stored] : matrices)
      EXPECT_TRUE(stored->read(images[name])) << name << ": written outside";
  }

private:
  std::map<std::string, Kernel> kernels; ///< by text
};

constexpr std::pair<int, int> kSizes[] = {{1, 1}, {16, 64}, {37, 100}, {40, 129}, {5, 300}};

/// In tiles of 32 x 64: y = 2 x + y, in place.
std::string inPlaceProgram(DType type) {
  return fmt::format(
      R"(
tile.kernel @program(%x: !tile.view<{0}, 1>, %y: !tile.view<{0}, 1>, %rows: i32, %columns: i32, %items: i32, %across: i32)
    args ["x", "y", "rows", "columns", "items", "across"] {{
  %i = tile.work range of %items : i32
  %ti = arith.divui %i, %across : i32
  %tj = arith.remui %i, %across : i32
  %r = tile.rows #tile.order<natural>[%ti] of %rows : !tile.rows<32>
  %c = tile.rows #tile.order<natural>[%tj] of %columns : !tile.rows<64>
  %a = tile.load %x[%r, cols %c] : !tile.view<{0}, 1>, !tile.rows<32>, !tile.rows<64> -> tensor<32x64x{0}>
  %b = tile.load %y[%r, cols %c] : !tile.view<{0}, 1>, !tile.rows<32>, !tile.rows<64> -> tensor<32x64x{0}>
  {1}
  tile.store %s, %y[%r, cols %c] : tensor<32x64x{0}>, !tile.view<{0}, 1>, !tile.rows<32>, !tile.rows<64>
  tile.return
}}
)",
      name(type),
      type == DType::F32
          ? "%a2 = arith.addf %a, %a : tensor<32x64xf32>\n"
            "  %s = arith.addf %a2, %b : tensor<32x64xf32>"
          : fmt::format("%af = arith.extf %a : tensor<32x64x{0}> to tensor<32x64xf32>\n"
                        "  %bf = arith.extf %b : tensor<32x64x{0}> to tensor<32x64xf32>\n"
                        "  %a2 = arith.addf %af, %af : tensor<32x64xf32>\n"
                        "  %sf = arith.addf %a2, %bf : tensor<32x64xf32>\n"
                        "  %s = arith.truncf %sf : tensor<32x64xf32> to tensor<32x64x{0}>",
                        name(type)));
}

TEST_P(CpuColumns, AddsInPlace) {
  for (DType type : {DType::F32, DType::BF16, DType::F16})
    for (auto [rows, columns] : kSizes) {
      Stored x = matrix(type, rows, columns, 1), y = matrix(type, rows, columns, 2), before = y;
      int across = (columns + 63) / 64, items = across * ((rows + 31) / 32);
      run(inPlaceProgram(type), {{"x", &x}, {"y", &y}},
          {{"rows", rows}, {"columns", columns}, {"items", items}, {"across", across}}, items);
      for (size_t i = 0; i < y.values.size(); ++i)
        ASSERT_EQ(y.values[i], y.rounded(2 * x.values[i] + before.values[i]))
            << name(type) << " " << rows << " x " << columns << " at " << i;
    }
}

/// Rows of any width in chunks of 64: mean, then the mean of squares from it, then the row less its
/// mean by the root; a gain for each column. Columns that do not exist must not count.
constexpr const char *kNorm = R"(
tile.kernel @program(%x: !tile.view<f32, 1>, %gain: !tile.view<f32, 0>, %y: !tile.view<f32, 1>, %mean: !tile.view<f32, 0>,
                     %rows: i32, %columns: i32, %items: i32, %chunks: i32)
    args ["x", "gain", "y", "mean", "rows", "columns", "items", "chunks"] {
  %i = tile.work range of %items : i32
  %r = tile.rows #tile.order<natural>[%i] of %rows : !tile.rows<16>
  %zero = arith.constant 0 : i32
  %zeros = arith.constant dense<0.0> : tensor<16xf32>
  %wf = arith.sitofp %columns : i32 to f32
  %ws = tile.splat %wf : f32 -> tensor<16xf32>
  %all = tile.range %zero to %chunks : !tile.blocks
  %sum = tile.fold %c in %all init(%zeros) : tensor<16xf32> fetch {
    %cr = tile.rows #tile.order<natural>[%c] of %columns : !tile.rows<64>
    %t = tile.load %x[%r, cols %cr] : !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<64> -> tensor<16x64xf32>
    tile.yield %t : tensor<16x64xf32>
  } lead(%t) {
    tile.yield
  } step(%t, %a) {
    %s = tile.reduce sum %t {dim = 1} : tensor<16x64xf32> -> tensor<16xf32>
    %n = arith.addf %a, %s : tensor<16xf32>
    tile.yield %n : tensor<16xf32>
  }
  %m = arith.divf %sum, %ws : tensor<16xf32>
  tile.store %m, %mean[%r] : tensor<16xf32>, !tile.view<f32, 0>, !tile.rows<16>
  %mm = tile.expand %m {dim = 1} : tensor<16xf32> -> tensor<16x64xf32>
  %squares = tile.fold %c in %all init(%zeros) : tensor<16xf32> fetch {
    %cr = tile.rows #tile.order<natural>[%c] of %columns : !tile.rows<64>
    %p = tile.positions %cr : !tile.rows<64> -> tensor<64xi32>
    %t = tile.load %x[%r, cols %cr] : !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<64> -> tensor<16x64xf32>
    tile.yield %p, %t : tensor<64xi32>, tensor<16x64xf32>
  } lead(%p, %t) {
    tile.yield
  } step(%p, %t, %a) {
    %cs = tile.splat %columns : i32 -> tensor<64xi32>
    %in = arith.cmpi slt, %p, %cs : tensor<64xi32>
    %ins = tile.expand %in {dim = 0} : tensor<64xi1> -> tensor<16x64xi1>
    %zz = arith.constant dense<0.0> : tensor<16x64xf32>
    %d = arith.subf %t, %mm : tensor<16x64xf32>
    %dz = arith.select %ins, %d, %zz : tensor<16x64xi1>, tensor<16x64xf32>
    %d2 = arith.mulf %dz, %dz : tensor<16x64xf32>
    %s = tile.reduce sum %d2 {dim = 1} : tensor<16x64xf32> -> tensor<16xf32>
    %n = arith.addf %a, %s : tensor<16xf32>
    tile.yield %n : tensor<16xf32>
  }
  %v = arith.divf %squares, %ws : tensor<16xf32>
  %eps = arith.constant dense<1.0e-5> : tensor<16xf32>
  %ve = arith.addf %v, %eps : tensor<16xf32>
  %inv = math.rsqrt %ve : tensor<16xf32>
  %is = tile.expand %inv {dim = 1} : tensor<16xf32> -> tensor<16x64xf32>
  tile.fold %c in %all init() fetch {
    %cr = tile.rows #tile.order<natural>[%c] of %columns : !tile.rows<64>
    %t = tile.load %x[%r, cols %cr] : !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<64> -> tensor<16x64xf32>
    %g = tile.load %gain[%cr] : !tile.view<f32, 0>, !tile.rows<64> -> tensor<64xf32>
    tile.yield %cr, %t, %g : !tile.rows<64>, tensor<16x64xf32>, tensor<64xf32>
  } lead(%cr, %t, %g) {
    tile.yield
  } step(%cr, %t, %g) {
    %d = arith.subf %t, %mm : tensor<16x64xf32>
    %u = arith.mulf %d, %is : tensor<16x64xf32>
    %gs = tile.expand %g {dim = 0} : tensor<64xf32> -> tensor<16x64xf32>
    %o = arith.mulf %u, %gs : tensor<16x64xf32>
    tile.store %o, %y[%r, cols %cr] : tensor<16x64xf32>, !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<64>
    tile.yield
  }
  tile.return
}
)";

TEST_P(CpuColumns, NormsRows) {
  for (auto [rows, columns] : kSizes) {
    Stored x = matrix(DType::F32, rows, columns, 1), gain = matrix(DType::F32, 1, columns, 2);
    Stored y = matrix(DType::F32, rows, columns, 3), mean = matrix(DType::F32, 1, rows, 4);
    int items = (rows + 15) / 16;
    run(kNorm, {{"x", &x}, {"gain", &gain}, {"y", &y}, {"mean", &mean}},
        {{"rows", rows}, {"columns", columns}, {"items", items}, {"chunks", (columns + 63) / 64}},
        items);
    for (int row = 0; row < rows; ++row) {
      const float *from = x.values.data() + int64_t(row) * columns;
      double sum = 0, squares = 0;
      for (int i = 0; i < columns; ++i)
        sum += from[i];
      sum /= columns;
      for (int i = 0; i < columns; ++i)
        squares += (from[i] - sum) * (from[i] - sum);
      double inverse = 1 / std::sqrt(squares / columns + 1e-5);
      ASSERT_NEAR(mean.values[row], sum, 1e-6) << rows << " x " << columns;
      for (int i = 0; i < columns; ++i)
        ASSERT_NEAR(y.values[int64_t(row) * columns + i],
                    (from[i] - sum) * inverse * gain.values[i], 2e-5)
            << rows << " x " << columns << ", " << row << " " << i;
    }
  }
}

/// Sums of columns beside sums of rows of the same numbers, which need loops of their own.
constexpr const char *kSums = R"(
tile.kernel @program(%x: !tile.view<f32, 1>, %down: !tile.view<f32, 0>, %across: !tile.view<f32, 0>, %most: !tile.view<f32, 0>,
                     %rows: i32, %columns: i32)
    args ["x", "down", "across", "most", "rows", "columns"] {
  %one = arith.constant 1 : i32
  %zero = arith.constant 0 : i32
  %i = tile.work range of %one : i32
  %r = tile.rows #tile.order<natural>[%zero] of %rows : !tile.rows<48>
  %c = tile.rows #tile.order<natural>[%zero] of %columns : !tile.rows<320>
  %t = tile.load %x[%r, cols %c] : !tile.view<f32, 1>, !tile.rows<48>, !tile.rows<320> -> tensor<48x320xf32>
  %d = arith.mulf %t, %t : tensor<48x320xf32>
  %a = tile.reduce sum %d {dim = 0} : tensor<48x320xf32> -> tensor<320xf32>
  %b = tile.reduce sum %d {dim = 1} : tensor<48x320xf32> -> tensor<48xf32>
  %m = tile.reduce max %t {dim = 1} : tensor<48x320xf32> -> tensor<48xf32>
  tile.store %a, %down[%c] : tensor<320xf32>, !tile.view<f32, 0>, !tile.rows<320>
  tile.store %b, %across[%r] : tensor<48xf32>, !tile.view<f32, 0>, !tile.rows<48>
  tile.store %m, %most[%r] : tensor<48xf32>, !tile.view<f32, 0>, !tile.rows<48>
  tile.return
}
)";

TEST_P(CpuColumns, SumsBothWays) {
  for (auto [rows, columns] : kSizes) {
    Stored x = matrix(DType::F32, rows, columns, 1), down = matrix(DType::F32, 1, columns, 2);
    Stored across = matrix(DType::F32, 1, rows, 3), most = across;
    run(kSums, {{"x", &x}, {"down", &down}, {"across", &across}, {"most", &most}},
        {{"rows", rows}, {"columns", columns}}, 1);
    std::vector<double> byColumn(columns), byRow(rows), largest(rows, columns < 320 ? 0 : -1e30);
    for (int64_t i = 0; i < rows * columns; ++i) {
      double value = x.values[i];
      byColumn[i % columns] += value * value, byRow[i / columns] += value * value;
      largest[i / columns] = std::max(largest[i / columns], value);
    }
    for (int i = 0; i < columns; ++i)
      ASSERT_NEAR(down.values[i], byColumn[i], 1e-5 * (1 + byColumn[i]))
          << rows << " x " << columns;
    for (int i = 0; i < rows; ++i) {
      ASSERT_NEAR(across.values[i], byRow[i], 1e-5 * (1 + byRow[i])) << rows << " x " << columns;
      ASSERT_EQ(most.values[i], largest[i]) << rows << " x " << columns;
    }
  }
}

/// The three products of a layer: y = x W^T, x = y W, W = y^T x, each one tile with a fold over
/// what it sums in chunks of 32.
std::string productProgram(DType type, const char *flags, bool lhsT, bool rhsT) {
  auto side = [&](bool isSum) { return isSum ? 32 : 64; };
  auto rows = [&](bool isSum) { return isSum ? "%s" : "%o"; };
  std::string lhs = fmt::format("!tile.rows<{}>, !tile.rows<{}> -> tensor<{}x{}x{}>", side(lhsT),
                                side(!lhsT), side(lhsT), side(!lhsT), name(type));
  std::string rhs = fmt::format("!tile.rows<{}>, !tile.rows<{}> -> tensor<{}x{}x{}>", side(!rhsT),
                                side(rhsT), side(!rhsT), side(rhsT), name(type));
  std::string lhsType = fmt::format("tensor<{}x{}x{}>", side(lhsT), side(!lhsT), name(type));
  std::string rhsType = fmt::format("tensor<{}x{}x{}>", side(!rhsT), side(rhsT), name(type));
  return fmt::format(R"(
tile.kernel @program(%a: !tile.view<{0}, 1>, %b: !tile.view<{0}, 1>, %y: !tile.view<f32, 1>, %m: i32, %n: i32, %sum: i32, %chunks: i32)
    args ["a", "b", "y", "m", "n", "sum", "chunks"] {{
  %one = arith.constant 1 : i32
  %zero = arith.constant 0 : i32
  %i = tile.work range of %one : i32
  %om = tile.rows #tile.order<natural>[%zero] of %m : !tile.rows<64>
  %on = tile.rows #tile.order<natural>[%zero] of %n : !tile.rows<64>
  %zeros = arith.constant dense<0.0> : tensor<64x64xf32>
  %all = tile.range %zero to %chunks : !tile.blocks
  %r = tile.fold %c in %all init(%zeros) : tensor<64x64xf32> fetch {{
    %s = tile.rows #tile.order<natural>[%c] of %sum : !tile.rows<32>
    %at = tile.load %a[{1}{2}, cols {3}{4}] : !tile.view<{0}, 1>, {5}
    %bt = tile.load %b[{6}{7}, cols {8}{9}] : !tile.view<{0}, 1>, {10}
    tile.yield %at, %bt : {11}, {12}
  }} lead(%at, %bt) {{
    tile.yield
  }} step(%at, %bt, %acc) {{
    %d = tile.dot %at, %bt acc(%acc : tensor<64x64xf32>) {{{13}}} : {11}, {12} -> tensor<64x64xf32>
    tile.yield %d : tensor<64x64xf32>
  }}
  tile.store %r, %y[%om, cols %on] : tensor<64x64xf32>, !tile.view<f32, 1>, !tile.rows<64>, !tile.rows<64>
  tile.return
}}
)",
                     name(type), rows(lhsT), lhsT ? "" : "m", rows(!lhsT), lhsT ? "m" : "", lhs,
                     rows(!rhsT), rhsT ? "n" : "", rows(rhsT), rhsT ? "" : "n", rhs, lhsType,
                     rhsType, flags);
}

TEST_P(CpuColumns, MultipliesMatrices) {
  constexpr std::array<int, 3> sizes[] = {{1, 1, 1}, {64, 64, 64}, {37, 50, 70}, {3, 61, 33}};
  struct {
    const char *flags;
    bool lhsT, rhsT;
  } forms[] = {{"rhs_t", false, true}, {"", false, false}, {"lhs_t", true, false}};
  for (DType type : {DType::F32, DType::BF16, DType::F16})
    for (auto [flags, lhsT, rhsT] : forms)
      for (auto [m, n, sum] : sizes) {
        Stored a = lhsT ? matrix(type, sum, m, 1) : matrix(type, m, sum, 1);
        Stored b = rhsT ? matrix(type, n, sum, 2) : matrix(type, sum, n, 2);
        Stored y = matrix(DType::F32, m, n, 3);
        run(productProgram(type, flags, lhsT, rhsT), {{"a", &a}, {"b", &b}, {"y", &y}},
            {{"m", m}, {"n", n}, {"sum", sum}, {"chunks", (sum + 31) / 32}}, 1);
        for (int i = 0; i < m; ++i)
          for (int j = 0; j < n; ++j) {
            double exact = 0;
            for (int k = 0; k < sum; ++k)
              exact += double(a.values[lhsT ? k * m + i : i * sum + k]) *
                       b.values[rhsT ? j * sum + k : k * n + j];
            ASSERT_NEAR(y.values[i * n + j], exact, 2e-5)
                << name(type) << " " << flags << " " << m << " x " << n << " x " << sum;
          }
      }
}

std::vector<std::string> hostLevels() {
  std::vector<std::string> names;
  for (const cpu::Level &level : cpu::levels())
    if (cpu::hostRuns(level))
      names.push_back(level.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Levels, CpuColumns, ::testing::ValuesIn(hostLevels()),
                         [](const auto &info) { return info.param; });

} // namespace
} // namespace sparsec
