// No work but the live blocks': the mma instructions that ran are live tiles times those of a tile.
#include "codegen/ChooseSchedule.h"
#include "codegen/Compiler.h"
#include "runtime/sim/SimDevice.h"
#include "tests/verify/SmallZoo.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/forward/Case.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

/// mma.sync.m16n8k16 for Q K^T and for P V of one tile.
uint64_t mmaOfTile(const ForwardCase &c) {
  auto [q, k] = c.block;
  return q / 16 * (k / 8 * (c.headDim / 16) + c.valueDim / 8 * (k / 16));
}

/// Of the parts that the verifier runs, each in its orders.
uint64_t liveTiles(const Pattern &pattern, const ForwardCase &c) {
  uint64_t live = 0;
  int64_t entries = static_cast<int64_t>(pattern.heads.size());
  for (int64_t h = 0; h < c.heads; ++h) {
    const HeadEntry &head = pattern.heads[h % entries];
    AttentionRequest request{.attend = head.attend,
                             .dtype = c.dtype,
                             .headDim = c.headDim,
                             .valueDim = c.valueDim,
                             .block = c.block,
                             .target = *findTarget("sm_80")};
    auto schedule = chooseSchedule(
        ScheduleRequest(request, {.schedule = head.schedule, .copies = c.heads * c.batch}));
    EXPECT_TRUE(schedule) << schedule.error().render();
    if (!schedule)
      continue;
    Result<std::vector<BlockLayout>> layouts =
        layoutsOf(schedule->ways.front().parts, {.nq = c.nq,
                                                 .nk = c.n,
                                                 .q0 = c.shape().q0,
                                                 .h = h,
                                                 .blockQ = c.block.q,
                                                 .blockK = c.block.k});
    EXPECT_TRUE(layouts) << layouts.error().render();
    if (layouts)
      for (const BlockLayout &layout : *layouts)
        live += layout.counts().live;
  }
  return live * c.batch;
}

TEST(MmaCount, IsLiveTilesTimesTheCountOfATile) {
  for (const std::string &zoo : testing::distinctZoo()) {
    Pattern pattern = testing::smallZooPattern(zoo, {{"l", 32}, {"c", 8}});
    std::unique_ptr<Device> device = openSimDevice();
    Verifier verifier({*device, pattern, *findTarget("sm_80"), compile});
    for (ForwardCase c : {
             ForwardCase{.headDim = 64,
            .valueDim = 64,
            .n = 200,
            .nq = 200,
            .batch = 2,
            .heads = 2,
            .block = {.q = 64, .k = 64}},
             ForwardCase{.dtype = DType::F16,
             .headDim = 32,
             .valueDim = 80,
             .n = 150,
             .nq = 70,
             .heads = 4,
             .block = {.q = 32, .k = 16}},
         }) {
      SCOPED_TRACE(zoo + ": " + describe(c));
      clearSimReport(*device);
      Result<std::vector<VerifyRow>> rows = verifier.run(c);
      ASSERT_TRUE(rows) << rows.error().render();
      for (const VerifyRow &row : *rows)
        EXPECT_TRUE(row.passed) << row.detail;
      EXPECT_EQ(simReport(*device).executed("mma.sync"), liveTiles(pattern, c) * mmaOfTile(c));
    }
  }
}

} // namespace
} // namespace sparsec
