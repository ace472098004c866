// The cost model against measured times: forward attention on an H200 by the kernels for sm_80, 16
// heads, bf16, blocks of 64 x 64 in natural order. docs/performance.md has the times and the
// commands that gave them.
#include "layout/cost/Cost.h"
#include "tests/layout/Predicates.h"

#include <cmath>

namespace sparsec::test {
namespace {

constexpr int64_t kHeads = 16;

struct Measured {
  const char *pattern;
  int64_t n, headDim;
  double milliseconds;
};

constexpr Measured kMeasured[] = {
    {"dense", 4'096, 64, 0.2498},    {"causal", 4'096, 64, 0.1633},
    {"local", 4'096, 64, 0.0217},    {"strided", 4'096, 64, 0.0828},
    {"merged", 4'096, 64, 0.1164},   {"fixed", 4'096, 64, 0.1091},
    {"dense", 12'288, 64, 2.1695},   {"causal", 12'288, 64, 1.1654},
    {"local", 12'288, 64, 0.0574},   {"strided", 12'288, 64, 0.4406},
    {"merged", 12'288, 64, 0.7942},  {"fixed", 12'288, 64, 0.7564},
    {"dense", 4'096, 128, 0.4340},   {"causal", 4'096, 128, 0.2691},
    {"local", 4'096, 128, 0.0395},   {"strided", 4'096, 128, 0.1229},
    {"merged", 4'096, 128, 0.1755},  {"fixed", 4'096, 128, 0.1648},
    {"dense", 12'288, 128, 3.8417},  {"causal", 12'288, 128, 1.9900},
    {"local", 12'288, 128, 0.1024},  {"strided", 12'288, 128, 0.6581},
    {"merged", 12'288, 128, 1.2481}, {"fixed", 12'288, 128, 1.1788},
    {"local", 16'384, 64, 0.0755},   {"local", 65'536, 64, 0.2886},
};

/// One kernel over some of the heads.
double predicted(const Expr &attend, const Measured &row, int64_t heads) {
  Result<Cost> cost =
      costOf({{attend, NaturalOrder{}, NaturalOrder{}}}, {.nq = row.n, .nk = row.n},
             CostShape::forward(row.headDim, row.headDim, 2, heads), CostTarget::of("sm_90", 2));
  EXPECT_TRUE(cost);
  return cost->seconds * 1e3;
}

double predicted(const Measured &row) {
  std::string_view name = row.pattern;
  if (name == "strided") // a kernel for each of its entries
    return predicted(local(128), row, kHeads / 2) + predicted(column(128), row, kHeads / 2);
  Expr attend = name == "dense"    ? predicate("q == q")
                : name == "causal" ? causal()
                : name == "local"  ? local(128)
                : name == "merged" ? united(128)
                                   : fixedMerged(128, 32);
  return predicted(attend, row, kHeads);
}

TEST(Calibration, TimesOfAnH200) {
  double squares = 0;
  for (const Measured &row : kMeasured) {
    double residual = predicted(row) / row.milliseconds - 1;
    std::printf("%-8s n %6lld  head dim %3lld  %8.4f ms measured  %8.4f predicted  %+5.1f %%\n",
                row.pattern, static_cast<long long>(row.n), static_cast<long long>(row.headDim),
                row.milliseconds, predicted(row), 100 * residual);
    EXPECT_LT(std::abs(residual), 0.15) << row.pattern << " " << row.n << " " << row.headDim;
    squares += residual * residual;
  }
  double rms = std::sqrt(squares / std::size(kMeasured));
  std::printf("root mean square %.1f %%\n", 100 * rms);
  EXPECT_LT(rms, 0.07);
}

/// Blocks at n = 8,192: the model need not find the times of all, but the default must be the best.
TEST(Calibration, TheDefaultBlockIsTheCheapestOfDense) {
  for (int64_t headDim : {64, 128})
    for (const Expr &attend : {predicate("q == q"), causal(), local(128)}) {
      CostShape shape = CostShape::forward(headDim, headDim, 2, kHeads);
      Result<std::vector<Candidate>> all =
          weigh(attend, {.nq = 8'192, .nk = 8'192}, shape, CostTarget::of("sm_90", 2),
                {.blocks = {{64, 32}, {64, 64}, {32, 32}}});
      ASSERT_TRUE(all);
      EXPECT_EQ(all->front().block, (Block{64, 64})) << print(attend);
    }
}

} // namespace
} // namespace sparsec::test
