// Strided attention of 65,536 positions, two layers in both orders: under 60 s and 1 GB.
#include "layout/analysis/Reach.h"
#include "tests/Sanitized.h"
#include "tests/layout/Predicates.h"

#include <chrono>
#include <sys/resource.h>

namespace sparsec::test {
namespace {

TEST(ReachBudget, StridedAtItsLength) {
  auto start = std::chrono::steady_clock::now();
  for (auto [first, second] : {std::pair{local(256), column(256)}, {column(256), local(256)}}) {
    Result<Reach> found = reach({.n = 65'536,
                                 .layers = {{{first}}, {{second}}},
                                 .residual = ReachRequest::Residual::Without});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found->complete());
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  RecordProperty("seconds", fmt::format("{:.1f}", seconds));
  RecordProperty("megabytes", static_cast<int>(usage.ru_maxrss / 1024));
  if (!kSanitized) {
    EXPECT_LT(seconds, 60);
    EXPECT_LT(usage.ru_maxrss, 1'000'000) << "KB";
  }
}

} // namespace
} // namespace sparsec::test
