// The cost model against measured times of attention backward on an H200: 32 heads, bf16, head dim
// 64, n = 12,288, each pass in the blocks and orders that the model chooses.
// docs/performance.md has the times and the command that gave them.
#include "layout/cost/Cost.h"
#include "tests/layout/Predicates.h"

#include <cmath>

namespace sparsec::test {
namespace {

constexpr int64_t kHeads = 32, kLength = 12'288, kHeadDim = 64;

struct Measured {
  const char *pattern;
  Block queries, keys; ///< queries x keys, of dq and of dk and dv
  double milliseconds; ///< delta, dq, dk and dv
};

constexpr Measured kMeasured[] = {
    {"fixed", {32, 32}, {64, 32}, 2.33},
    {"causal", {32, 32}, {64, 32}, 6.91},
    {"local", {32, 32}, {32, 32}, 0.347},
    {"strided", {32, 32}, {32, 32}, 0.352},
};

CostShape shapeOf(bool ofKeys, int64_t heads) {
  int64_t tensors = ofKeys ? 4 : 3;
  return {.products = tensors * kHeadDim,
          .rowWidth = tensors * kHeadDim,
          .foldWidth = 2 * kHeadDim,
          .copies = heads,
          .ofKeys = ofKeys,
          .beforeWidth = ofKeys ? 0 : 2 * kHeadDim};
}

double predicted(const Part &part, const Measured &row, int64_t heads) {
  double seconds = 0;
  for (bool ofKeys : {false, true}) {
    Block block = ofKeys ? row.keys : row.queries;
    Result<Cost> cost =
        costOf({part}, {.nq = kLength, .nk = kLength, .blockQ = block.q, .blockK = block.k},
               shapeOf(ofKeys, heads), CostTarget::of("sm_90", 2));
    EXPECT_TRUE(cost);
    seconds += cost->seconds;
  }
  return seconds * 1e3;
}

double predicted(const Measured &row) {
  std::string_view name = row.pattern;
  OrderSpec natural = NaturalOrder{}, residue = ResidueOrder{128};
  if (name == "strided") // a kernel of each pass for each of its entries
    return predicted({local(128), natural, natural}, row, kHeads / 2) +
           predicted({column(128), residue, residue}, row, kHeads / 2);
  if (name == "fixed")
    return predicted({fixedMerged(128, 32), natural, TailsOrder{128, 32}}, row, kHeads);
  return predicted({name == "causal" ? causal() : local(128), natural, natural}, row, kHeads);
}

TEST(Calibration, BackwardOfAnH200) {
  for (const Measured &row : kMeasured) {
    double ratio = predicted(row) / row.milliseconds;
    std::printf("%-8s %8.3f ms measured  %8.3f predicted  %5.2f\n", row.pattern, row.milliseconds,
                predicted(row), ratio);
    EXPECT_GT(ratio, 1 / 1.25) << row.pattern;
    EXPECT_LT(ratio, 1.25) << row.pattern;
  }
}

} // namespace
} // namespace sparsec::test
