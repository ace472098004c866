// Products and math of the CPU target, on every level that this machine runs, held against plain
// loops. Programs reach the kernel through the fields of attention's argument struct.
#include "codegen/CompileTileProgram.h"
#include "codegen/cpu/Level.h"
#include "runtime/Buffer.h"
#include "runtime/Float16.h"
#include "runtime/Launch.h"
#include "runtime/cpu/CpuDevice.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

namespace sparsec {
namespace {

std::vector<std::string> hostLevels() {
  std::vector<std::string> names;
  for (const cpu::Level &level : cpu::levels())
    if (cpu::hostRuns(level))
      names.push_back(level.name);
  return names;
}

/// q, k and v in, out back: [rows, columns] f32 each, one batch and head.
struct Matrices {
  std::vector<float> q, k, v, out;
  int64_t qColumns = 0, kColumns = 0, vColumns = 0, outColumns = 0;
};

uint16_t toBits(float value, DType type) {
  return type == DType::BF16 ? floatToBf16(value) : floatToF16(value);
}
float fromBits(uint16_t bits, DType type) {
  return type == DType::BF16 ? bf16ToFloat(bits) : f16ToFloat(bits);
}

class CpuProgram {
public:
  CpuProgram(const std::string &level, DType type) : level(level), type(type) {}

  /// Runs `text` on one work item; inputs are rounded to the type.
  Result<void> run(const std::string &text, Matrices &m) {
    Result<Target> target = findTarget("cpu-" + level);
    if (!target)
      return target.error();
    Result<Kernel> kernel = compileTileProgram(text, "program", *target);
    if (!kernel)
      return kernel.error();
    auto executable = device->load(kernel->code, "program");
    if (!executable)
      return executable.error();
    Arguments arguments(kernel->signature);
    auto slot = [&](std::string_view name) { return Slot(kernel->signature, name); };
    std::vector<Buffer> buffers;
    auto bind = [&](const std::string &name, const std::vector<float> &values, int64_t columns) {
      auto size = int64_t(values.size());
      std::vector<uint16_t> bits;
      for (float value : values)
        bits.push_back(toBits(value, type));
      auto bytes =
          type == DType::F32 ? std::as_bytes(std::span(values)) : std::as_bytes(std::span(bits));
      buffers.push_back(std::move(*Buffer::upload(*device, bytes)));
      arguments.setPointer(slot(name), buffers.back().address());
      arguments.set(slot(name + "_stride"), std::array<int64_t, 3>{size, size, columns});
    };
    bind("q", m.q, m.qColumns);
    bind("k", m.k, m.kColumns);
    bind("v", m.v, m.vColumns);
    buffers.push_back(std::move(*Buffer::allocate(*device, m.out.size() * 4)));
    arguments.setPointer(slot("out"), buffers.back().address());
    arguments.set(slot("out_stride"), std::array<int64_t, 3>{0, 0, m.outColumns});
    arguments.set(slot("n"), int32_t(1 << 20));
    int32_t zero = 0;
    arguments.setPointer(slot("row_order"), reinterpret_cast<DeviceAddress>(&zero));
    const void *parameters[] = {arguments.data()};
    if (auto launched = device->launch(**executable, {}, parameters); !launched)
      return launched;
    return device->copyToHost(m.out.data(), buffers.back().address(), m.out.size() * 4);
  }

private:
  std::unique_ptr<Device> device = openCpuDevice({.threads = 1});
  std::string level;
  DType type;
};

std::string header(DType type) {
  return fmt::format(
      "tile.kernel @program(%q: !tile.view<{0}, 3>, %k: !tile.view<{0}, 3>, %v: !tile.view<{0}, 3>,"
      " %out: !tile.view<f32, 3>, %layout: !tile.layout, %n: i32)\n"
      "  args [\"q\", \"k\", \"v\", \"out\", \"layout\", \"n\"] {{\n"
      "  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout\n",
      name(type));
}

std::string load(DType type, const char *view, int64_t rows, int64_t columns) {
  return fmt::format(
      "  %{0}r = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<{1}>\n"
      "  %{0}t = tile.load %{0}[%b, %h, %{0}r] : !tile.view<{3}, 3>, !tile.rows<{1}> -> "
      "tensor<{1}x{2}x{3}>\n",
      view, rows, columns, name(type));
}

std::string store(int64_t rows, int64_t columns) {
  return fmt::format("  %or = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<{0}>\n"
                     "  tile.store %result, %out[%b, %h, %or] : tensor<{0}x{1}xf32>, "
                     "!tile.view<f32, 3>, !tile.rows<{0}>\n  tile.return\n}}\n",
                     rows, columns);
}

std::vector<float> randomValues(int64_t count, DType type, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float &value : values) {
    value = normal(random);
    if (type != DType::F32)
      value = fromBits(toBits(value, type), type);
  }
  return values;
}

struct DotCase {
  std::string level;
  DType type;
  bool lhsT, rhsT, accumulate;
  int64_t m, n, k;
};

class CpuDot : public ::testing::TestWithParam<DotCase> {};

std::string dotProgram(const DotCase &c) {
  int64_t lhs[] = {c.m, c.k}, rhs[] = {c.k, c.n};
  if (c.lhsT)
    std::swap(lhs[0], lhs[1]);
  if (c.rhsT)
    std::swap(rhs[0], rhs[1]);
  std::string flags = fmt::format("{}{}{}", c.lhsT ? "lhs_t" : "", c.lhsT && c.rhsT ? ", " : "",
                                  c.rhsT ? "rhs_t" : "");
  std::string text =
      header(c.type) + load(c.type, "q", lhs[0], lhs[1]) + load(c.type, "k", rhs[0], rhs[1]);
  std::string accumulator;
  if (c.accumulate) {
    text += load(c.type, "v", c.m, c.n);
    std::string from = "%vt";
    if (c.type != DType::F32) {
      text += fmt::format("  %ve = arith.extf %vt : tensor<{0}x{1}x{2}> to tensor<{0}x{1}xf32>\n",
                          c.m, c.n, name(c.type));
      from = "%ve";
    }
    accumulator = fmt::format(" acc({} : tensor<{}x{}xf32>)", from, c.m, c.n);
  }
  text += fmt::format("  %result = tile.dot %qt, %kt{0} {{{1}}} : tensor<{2}x{3}x{4}>, "
                      "tensor<{5}x{6}x{4}> -> tensor<{7}x{8}xf32>\n",
                      accumulator, flags, lhs[0], lhs[1], name(c.type), rhs[0], rhs[1], c.m, c.n);
  return text + store(c.m, c.n);
}

TEST_P(CpuDot, AgreesWithPlainLoops) {
  const DotCase &c = GetParam();
  Matrices m;
  m.q = randomValues(c.m * c.k, c.type, 1), m.qColumns = c.lhsT ? c.m : c.k;
  m.k = randomValues(c.k * c.n, c.type, 2), m.kColumns = c.rhsT ? c.k : c.n;
  m.v = randomValues(c.m * c.n, c.type, 3), m.vColumns = c.n;
  m.out.resize(c.m * c.n), m.outColumns = c.n;
  Result<void> ran = CpuProgram(c.level, c.type).run(dotProgram(c), m);
  ASSERT_TRUE(ran) << ran.error().render() << dotProgram(c);
  for (int64_t i = 0; i < c.m; ++i)
    for (int64_t j = 0; j < c.n; ++j) {
      double sum = c.accumulate ? m.v[i * c.n + j] : 0, size = std::abs(sum);
      for (int64_t k = 0; k < c.k; ++k) {
        double product = double(c.lhsT ? m.q[k * c.m + i] : m.q[i * c.k + k]) *
                         (c.rhsT ? m.k[j * c.k + k] : m.k[k * c.n + j]);
        sum += product, size += std::abs(product);
      }
      ASSERT_NEAR(m.out[i * c.n + j], sum, size * double(c.k + 1) * 0x1p-24) << i << " " << j;
    }
}

std::vector<DotCase> dotCases() {
  std::vector<DotCase> cases;
  for (const std::string &level : hostLevels())
    for (DType type : {DType::F32, DType::BF16, DType::F16})
      for (int flags = 0; flags < 8; ++flags)
        cases.push_back(
            {level, type, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, 48, 80, 32});
  for (const std::string &level : hostLevels())
    cases.push_back({level, DType::F32, false, true, false, 128, 16, 256});
  return cases;
}

std::string dotName(const ::testing::TestParamInfo<DotCase> &info) {
  const DotCase &c = info.param;
  return fmt::format("{}_{}_{}{}{}_{}x{}x{}", c.level, name(c.type), c.lhsT ? "T" : "N",
                     c.rhsT ? "T" : "N", c.accumulate ? "_acc" : "", c.m, c.n, c.k);
}
INSTANTIATE_TEST_SUITE_P(All, CpuDot, ::testing::ValuesIn(dotCases()), dotName);

//===-- Math ----------------------------------------------------------------------------------===//

class CpuMath : public ::testing::TestWithParam<std::string> {
protected:
  /// op(x), in rows of 64.
  std::vector<float> apply(const std::string &op, const std::vector<float> &x) {
    return compute(fmt::format("  %result = {} %qt : tensor<ROWSx64xf32>\n", op), x);
  }
  /// The tile %result that `ops` make of the tile %qt, which is ROWS x 64.
  std::vector<float> compute(std::string ops, const std::vector<float> &x);
};

std::vector<float> CpuMath::compute(std::string ops, const std::vector<float> &x) {
  int64_t rows = int64_t(x.size()) / 64;
  for (size_t at; (at = ops.find("ROWS")) != std::string::npos;)
    ops.replace(at, 4, std::to_string(rows));
  std::string text = header(DType::F32) + load(DType::F32, "q", rows, 64) + ops + store(rows, 64);
  Matrices m;
  m.q = x, m.qColumns = 64, m.k = m.v = {0}, m.kColumns = m.vColumns = 1;
  m.out.resize(x.size()), m.outColumns = 64;
  Result<void> ran = CpuProgram(GetParam(), DType::F32).run(text, m);
  EXPECT_TRUE(ran) << ran.error().render();
  return m.out;
}

double ulps(float found, double exact) {
  double unit = std::ldexp(1.0, std::max(-149, std::ilogb(exact) - 23));
  return std::abs(found - exact) / unit;
}

/// Largest error in ulp of op over evenly spaced numbers and the places between them.
template <class F>
double worst(std::vector<float> &x, const std::vector<float> &found, F exact) {
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i)
    most = std::max(most, ulps(found[i], exact(double(x[i]))));
  return most;
}

std::vector<float> spread(float low, float high, size_t count = 256 * 64) {
  std::vector<float> x(count);
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(low, high);
  for (float &each : x)
    each = uniform(random);
  x.front() = low, x.back() = high;
  return x;
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST_P(CpuMath, Exp2IsWithinTwoUlp) {
  for (auto [low, high] : {std::pair(-1.0f, 1.0f), {-126.0f, 127.4f}, {-20.0f, 0.0f}}) {
    std::vector<float> x = spread(low, high);
    EXPECT_LE(worst(x, apply("math.exp2", x), [](double v) { return std::exp2(v); }), 2);
  }
}

/// 2^(x - m) where m is the largest number of each row, or of each column: what is at most 1 is
/// computed in fewer steps, and what may be above is not.
std::string decayProgram(int reducedDim, int expandedDim) {
  return fmt::format("  %m = tile.reduce max %qt {{dim = {0} : i64}} : tensor<ROWSx64xf32> -> "
                     "tensor<{2}xf32>\n"
                     "  %base = tile.expand %m {{dim = {1} : i64}} : tensor<{2}xf32> -> "
                     "tensor<ROWSx64xf32>\n"
                     "  %x = arith.subf %qt, %base : tensor<ROWSx64xf32>\n"
                     "  %result = math.exp2 %x : tensor<ROWSx64xf32>\n",
                     reducedDim, expandedDim, reducedDim == 1 ? "ROWS" : "64");
}

TEST_P(CpuMath, Exp2OfADecayIsWithinTwoUlp) {
  for (float low : {-1.0f, -20.0f, -126.0f}) {
    std::vector<float> x = spread(low, 0.0f);
    for (size_t row = 0; row < x.size(); row += 64)
      x[row + row / 64 % 64] = 0;
    std::vector<float> found = compute(decayProgram(1, 1), x);
    EXPECT_LE(worst(x, found, [](double v) { return std::exp2(v); }), 2);
  }
  std::vector<float> x(16 * 64, -1000.0f);
  x[0] = 0, x[1] = -kInfinity, x[2] = -127, x[3] = -151, x[4] = -1e30f, x[5] = -3;
  std::vector<float> ends = compute(decayProgram(1, 1), x);
  EXPECT_EQ(ends[0], 1);
  for (int i : {1, 3, 4, 6})
    EXPECT_EQ(ends[i], 0) << i;
  EXPECT_LE(ends[2], 0x1p-127f); // 0 where subnormal numbers are
  EXPECT_EQ(ends[5], 0.125f);
  EXPECT_EQ(ends[64], 1); // a row of nothing but -1000
  x[2] = std::nanf("");
  EXPECT_TRUE(std::isnan(compute(decayProgram(1, 1), x)[2]));
}

/// A square tile, so that the other dimension fits as well.
TEST_P(CpuMath, Exp2OfAnotherRowsMaximumMayBeAboveOne) {
  std::vector<float> x(64 * 64, 0.0f);
  for (int row = 0; row < 64; ++row)
    x[row * 64] = float(4 * row);
  std::vector<float> found = compute(decayProgram(1, 0), x);
  for (int row = 0; row < 64; ++row) {
    EXPECT_EQ(found[row * 64], row < 32 ? std::exp2(4.0f * float(row)) : kInfinity) << row;
    EXPECT_EQ(found[row * 64 + 1], 0.0625f);
  }
}

TEST_P(CpuMath, ExpIsWithinThreeUlp) {
  std::vector<float> x = spread(-87.0f, 88.0f);
  EXPECT_LE(worst(x, apply("math.exp", x), [](double v) { return std::exp(v); }), 3);
}

TEST_P(CpuMath, LogIsWithinTwoUlp) {
  for (auto [low, high] :
       {std::pair(0.5f, 2.0f), {1e-3f, 1e3f}, {1e-37f, 3e38f}, {1e-45f, 1e-38f}}) {
    std::vector<float> x = spread(low, high);
    EXPECT_LE(worst(x, apply("math.log", x), [](double v) { return std::log(v); }), 2);
  }
}

TEST_P(CpuMath, EndsAreExact) {
  std::vector<float> x(16 * 64, 0.0f);
  x[0] = -kInfinity, x[1] = kInfinity, x[2] = std::nanf(""), x[3] = 1000, x[4] = -1000, x[5] = 3;
  std::vector<float> power = apply("math.exp2", x), natural = apply("math.exp", x);
  for (const auto &y : {power, natural}) {
    EXPECT_EQ(y[0], 0);
    EXPECT_EQ(y[1], kInfinity);
    EXPECT_TRUE(std::isnan(y[2]));
    EXPECT_EQ(y[3], kInfinity);
    EXPECT_EQ(y[4], 0);
    EXPECT_EQ(y[6], 1);
  }
  EXPECT_EQ(power[5], 8);
  x[0] = 1, x[3] = -1, x[4] = -kInfinity;
  std::vector<float> log = apply("math.log", x);
  EXPECT_EQ(log[0], 0);
  EXPECT_EQ(log[1], kInfinity);
  for (int i : {2, 3, 4})
    EXPECT_TRUE(std::isnan(log[i])) << i;
  EXPECT_EQ(log[6], -kInfinity);
}

/// f32 to a 16-bit float and back, at every boundary of the type's numbers and beside it.
TEST_P(CpuMath, RoundsAsFloat16Does) {
  for (DType type : {DType::BF16, DType::F16}) {
    std::vector<float> x;
    for (uint32_t bits = 0; bits < 0x10000; bits += 13) {
      float value = fromBits(uint16_t(bits), type), next = fromBits(uint16_t(bits + 1), type);
      if (!std::isfinite(value) || !std::isfinite(next))
        continue;
      float middle = value + (next - value) / 2;
      for (float each :
           {value, middle, std::nextafter(middle, 1e30f), std::nextafter(middle, -1e30f)})
        x.push_back(each);
    }
    x.push_back(1e30f), x.push_back(-kInfinity);
    while (x.size() % (16 * 64) || x.size() < 16 * 64)
      x.push_back(0.1f);
    for (size_t begin = 0; begin < x.size(); begin += 16 * 64) {
      std::vector<float> part(x.begin() + begin, x.begin() + begin + 16 * 64);
      std::string text =
          header(DType::F32) + load(DType::F32, "q", 16, 64) +
          fmt::format("  %t = arith.truncf %qt : tensor<16x64xf32> to tensor<16x64x{0}>\n"
                      "  %result = arith.extf %t : tensor<16x64x{0}> to tensor<16x64xf32>\n",
                      name(type)) +
          store(16, 64);
      Matrices m;
      m.q = part, m.qColumns = 64, m.k = m.v = {0}, m.kColumns = m.vColumns = 1;
      m.out.resize(part.size()), m.outColumns = 64;
      Result<void> ran = CpuProgram(GetParam(), DType::F32).run(text, m);
      ASSERT_TRUE(ran) << ran.error().render();
      for (size_t i = 0; i < part.size(); ++i)
        ASSERT_EQ(m.out[i], fromBits(toBits(part[i], type), type)) << name(type) << " " << part[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, CpuMath, ::testing::ValuesIn(hostLevels()),
                         [](const auto &info) { return info.param; });

} // namespace
} // namespace sparsec
