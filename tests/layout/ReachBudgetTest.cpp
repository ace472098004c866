// What the reach of many positions may count and keep: strided attention of 65,536 of them, two
// layers in both orders, and patterns of few stretches.
#include "layout/analysis/Reach.h"
#include "tests/Sanitized.h"
#include "tests/layout/Predicates.h"

#include <sys/resource.h>

namespace sparsec::test {
namespace {

void say(const Work &work) {
  fmt::print("{} questions, {} evaluations, {} runs, {} words\n", work.questions, work.evaluations,
             work.runs, work.words);
}

TEST(ReachBudget, StridedAtItsLength) {
  for (auto [first, second] : {std::pair{local(256), column(256)}, {column(256), local(256)}}) {
    Work work;
    Result<Reach> found = reach({.n = 65'536,
                                 .layers = {{{first}}, {{second}}},
                                 .residual = ReachRequest::Residual::Without,
                                 .work = &work});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found->complete());
    say(work);
    // Rows repeat: two evaluations a position, and no question, where the keys of a column would be
    // found one by one (8.4 million).
    EXPECT_LT(work.questions, 100);
    EXPECT_LT(work.evaluations, 3 * 65'536);
    // A column has 128 keys on average, each a run of its own: 8.4 million in a layer. Their unions
    // paint what groups of neighbours know: 135 million runs, 237 million words of 64 positions.
    // The union of every key's own row, as a product of bit matrices has it, would be 4.3 10^9
    // words.
    EXPECT_LT(work.runs, 180'000'000);
    EXPECT_LT(work.words, 300'000'000);
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  RecordProperty("megabytes", static_cast<int>(usage.ru_maxrss / 1024));
  if (!kSanitized) {
    EXPECT_LT(usage.ru_maxrss, 1'000'000) << "KB";
  }
}

/// Where a position knows few stretches, it costs a few groups of neighbours: 20 of a million
/// positions. A bit for each position that is known would be 8,192 words a position.
TEST(ReachBudget, FewStretchesAreNoBits) {
  constexpr int64_t n = int64_t{1} << (kSanitized ? 14 : 20);
  for (const char *attend : {"k <= q", "0 <= q - k < 1024"}) {
    Work work;
    Expr head = predicate(attend);
    Result<Reach> found = reach({.n = n, .layers = {{{head}}, {{head}}}, .work = &work});
    ASSERT_TRUE(found) << found.error().message;
    // Of local attention, position i knows 2,047 at most, itself included.
    int64_t far = n - 2'047;
    EXPECT_EQ(found->unreachable, attend[0] == 'k' ? 0 : far * (far + 1) / 2);
    say(work);
    EXPECT_LT(work.runs, 25 * n);
    EXPECT_LT(work.evaluations, 3 * n);
    EXPECT_EQ(work.words, 0);
  }
}

} // namespace
} // namespace sparsec::test
