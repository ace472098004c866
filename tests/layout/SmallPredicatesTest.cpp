// Every predicate of up to two operators, at all small sizes; and the check itself checked.
#include "tests/Sanitized.h"
#include "tests/layout/CheckSmall.h"
#include "tests/patterns/EnumeratePredicates.h"

namespace sparsec::test {
namespace {

TEST(SmallPredicates, OfUpToTwoOperators) {
  int64_t visited = 0;
  sparsec::testing::forEachPredicateUpTo({.operators = 2}, [&](const Expr &attend) {
    if (isLeftOut(++visited))
      return;
    std::optional<LayoutRequest> mismatch = firstMismatch(attend, visited % 4);
    ASSERT_FALSE(mismatch) << describe(attend, *mismatch);
  });
  EXPECT_GT(visited, 30'000);
}

TEST(SmallPredicates, OfOneOperatorAnywhere) {
  // Every head up to 3 and every q0 that still meets the keys.
  int64_t visited = 0;
  sparsec::testing::forEachPredicateUpTo({.operators = 1}, [&](const Expr &attend) {
    if (isLeftOut(++visited))
      return;
    for (int64_t h = 0; h < 4; ++h)
      for (int64_t q0 = -9; q0 <= 9; ++q0) {
        std::optional<LayoutRequest> mismatch = firstMismatch(attend, h, q0);
        ASSERT_FALSE(mismatch) << describe(attend, *mismatch);
      }
  });
}

TEST(SmallPredicates, CountsWherePeriodsAreUsed) {
  // Large enough to look for periods, and no multiple of any.
  int64_t number = 0;
  sparsec::testing::forEachPredicateUpTo({.operators = 2}, [&](const Expr &attend) {
    if (++number % 4 != 0 || isLeftOut(number))
      return;
    LayoutRequest request = {.nq = 41, .nk = 53, .q0 = number % 31 - 15, .h = number % 3};
    ASSERT_EQ(*countElements(attend, request), DenseMask(attend, request).count())
        << describe(attend, request);
  });
}

TEST(SmallPredicates, TheCheckSeesWrongBlocks) {
  LayoutRequest request = {.nq = 8, .nk = 8, .blockQ = 2, .blockK = 2};
  SmallMask mask(causal(), request);
  EXPECT_TRUE(agrees(*BlockLayout::build(causal(), request), mask));
  for (const char *text : {"k < q - 1", "k <= q and k != 5", "k <= q or k == 7", "k <= q + 1",
                           "q > q", "k <= q and q != 7"})
    EXPECT_FALSE(agrees(*BlockLayout::build(predicate(text), request), mask)) << text;
  EXPECT_FALSE(agrees(BlockLayout::build(causal(), request)->transpose(), mask));
}

} // namespace
} // namespace sparsec::test
