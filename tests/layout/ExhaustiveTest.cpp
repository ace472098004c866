// Every predicate of three operators with a connective in it, one in so many of those that are one
// comparison with two operators of arithmetic (there are millions, and each comparison's two sides
// reach the layout as one classify()), and random larger ones.
#include "tests/layout/CheckSmall.h"
#include "tests/patterns/EnumeratePredicates.h"

namespace sparsec::test {
namespace {

constexpr uint64_t kArithmeticSample = 31;

TEST(Exhaustive, PredicatesOfThreeOperators) {
  int64_t visited = 0, empty = 0;
  sparsec::testing::forEachPredicate(
      {.operators = 3, .arithmeticSample = kArithmeticSample}, [&](const Expr &attend) {
        int64_t h = visited++ % 4;
        std::optional<LayoutRequest> mismatch = firstMismatch(attend, h);
        ASSERT_FALSE(mismatch) << describe(attend, *mismatch);
        LayoutRequest request = {.nq = 8, .nk = 8, .h = h};
        empty += *countElements(attend, request) == 0;
      });
  RecordProperty("visited", std::to_string(visited));
  std::printf("%lld predicates, %lld of them empty at n = 8\n", static_cast<long long>(visited),
              static_cast<long long>(empty));
  EXPECT_GT(visited, 300'000);
}

TEST(Exhaustive, RandomLargerPredicates) {
  sparsec::testing::RandomPredicates random(7);
  for (int i = 0; i < 20'000; ++i) {
    Expr attend = random.predicate(2 + i % 9);
    std::optional<LayoutRequest> mismatch = firstMismatch(attend, i % 5, i % 23 - 11);
    ASSERT_FALSE(mismatch) << describe(attend, *mismatch);
  }
}

TEST(Exhaustive, RandomLargerPredicatesAtLargerSizes) {
  sparsec::testing::RandomPredicates random(8);
  std::mt19937 number(9);
  for (int i = 0; i < 3'000; ++i) {
    Expr attend = random.predicate(2 + i % 9);
    LayoutRequest request = {.nq = 1 + static_cast<int64_t>(number() % 90),
                             .nk = 1 + static_cast<int64_t>(number() % 90),
                             .q0 = static_cast<int64_t>(number() % 100) - 50,
                             .h = static_cast<int64_t>(number() % 5),
                             .blockQ = 1 + static_cast<int>(number() % 24),
                             .blockK = 1 + static_cast<int>(number() % 24)};
    ASSERT_EQ(BlockLayout::build(attend, request)->print(), expectedPicture(attend, request))
        << describe(attend, request);
    ASSERT_EQ(*countElements(attend, request), DenseMask(attend, request).count())
        << describe(attend, request);
  }
}

} // namespace
} // namespace sparsec::test
