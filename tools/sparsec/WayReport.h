// What the schedules that the cost model chooses cost at one length: `show --stats` and `compare`.
#pragma once

#include "tools/sparsec/HeadReport.h"
#include "tools/sparsec/Ways.h"

namespace sparsec::cli {

/// A row of a pattern in its cheapest way.
struct WayReport {
  HeadRow row;
  Candidate way; ///< its cost is that of all heads of the row
  int64_t n = 0;
  /// Share of dense causal attention's products that is not computed, both in whole blocks.
  double saved = 0;

  double density() const { return double(way.cost.elements) / (double(n) * double(n)); }
  double keysPerQuery() const { return double(way.cost.elements) / double(n); }
};

Result<std::vector<WayReport>> reportWays(const PatternFlags &flags, const LoadedPattern &loaded,
                                          const Target &target, int64_t n);

/// A line on stderr for each row that sees no key at all at this length: it runs all the same.
void warnOfEmpty(const std::vector<WayReport> &ways);

std::string table(const std::vector<WayReport> &ways, const Style &style);
nlohmann::ordered_json json(const std::vector<WayReport> &ways);

/// "12.3 us", "4.56 ms"
std::string duration(double seconds);

} // namespace sparsec::cli
