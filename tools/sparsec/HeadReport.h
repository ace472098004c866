// What a pattern's heads cost at one length, as they were planned: the rows of compile's summary,
// of `show --stats` and of `compare`.
#pragma once

#include "tools/sparsec/Plan.h"
#include "tools/sparsec/Terminal.h"

#include <nlohmann/json.hpp>

namespace sparsec::cli {

/// A row of a pattern in the way that was chosen for its entry.
struct HeadReport {
  HeadRow row;
  Candidate way; ///< its cost is exact, and that of all heads of the row
  int64_t n = 0;
  /// Share of dense causal attention's products that is not computed, both in whole blocks.
  double saved = 0;

  double density() const { return double(way.cost.elements) / (double(n) * double(n)); }
  double keysPerQuery() const { return double(way.cost.elements) / double(n); }
};

Result<std::vector<HeadReport>> reportHeads(const Plan &plan, int64_t n);

/// A line on stderr for each row that sees no key at all at this length: it runs all the same.
void warnOfEmpty(const std::vector<HeadReport> &heads);

std::string table(const std::vector<HeadReport> &heads, const Style &style);
nlohmann::ordered_json json(const std::vector<HeadReport> &heads);

/// "12.3 us", "4.56 ms"
std::string duration(double seconds);

} // namespace sparsec::cli
