// Strided attention of 65,536 positions, two layers in both orders: what it may count and keep.
#include "layout/analysis/Reach.h"
#include "tests/Sanitized.h"
#include "tests/layout/Predicates.h"

#include <sys/resource.h>

namespace sparsec::test {
namespace {

TEST(ReachBudget, StridedAtItsLength) {
  for (auto [first, second] : {std::pair{local(256), column(256)}, {column(256), local(256)}}) {
    Work work;
    Result<Reach> found = reach({.n = 65'536,
                                 .layers = {{{first}}, {{second}}},
                                 .residual = ReachRequest::Residual::Without,
                                 .work = &work});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found->complete());
    fmt::print("{} questions, {} evaluations, {} runs, {} words\n", work.questions,
               work.evaluations, work.runs, work.words);
    // Rows repeat: two evaluations a position, and no question, where the keys of a column would be
    // found one by one (8.4 million).
    EXPECT_LT(work.questions, 100);
    EXPECT_LT(work.evaluations, 3 * 65'536);
    // A column has 128 keys on average, each a run of its own: 8.4 million in a layer. Their unions
    // paint what groups of neighbours know: 245 million words of 64 positions. The union of every
    // key's own row, as a product of bit matrices has it, would be 4.3 10^9.
    EXPECT_LT(work.runs, 50'000'000);
    EXPECT_LT(work.words, 350'000'000);
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  RecordProperty("megabytes", static_cast<int>(usage.ru_maxrss / 1024));
  if (!kSanitized) {
    EXPECT_LT(usage.ru_maxrss, 1'000'000) << "KB";
  }
}

} // namespace
} // namespace sparsec::test
