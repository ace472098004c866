// Times of work that has a bound: of a processor, the least of a few runs, so that others on the
// machine change them little.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace sparsec {

/// Seconds of a processor that the work takes, the least of five runs; of one where it is long.
double leastSeconds(const std::function<void()> &work);

struct ChildTimes {
  double wall = 0, user = 0, processor = 0; ///< seconds; `processor` has the system's too
};
/// Of a program, each the least of five runs. Throws when it ends with another status.
ChildTimes leastOfChild(const std::vector<std::string> &command, int expectedExit = 0);

/// What a budget says of one piece of work.
struct BudgetRow {
  std::string what;
  double seconds = 0, most = 0;
};

/// The rows as a table; over the bound is marked.
std::string budgetTable(const std::vector<BudgetRow> &rows);

} // namespace sparsec
