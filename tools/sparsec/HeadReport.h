// What a pattern's heads cost at one length: the rows of `show --stats` and of compile's summary.
#pragma once

#include "layout/Statistics.h"
#include "tools/sparsec/Plan.h"
#include "tools/sparsec/Terminal.h"

#include <nlohmann/json.hpp>

namespace sparsec::cli {

struct HeadReport {
  HeadRow row;
  Block block;
  std::string orders;    ///< of its parts
  Statistics statistics; ///< blocks and computed pairs are those of the parts, in their orders
  /// Share of dense causal attention's products that is not computed, both in whole blocks.
  double saved = 0;
};

Result<std::vector<HeadReport>> reportHeads(const Plan &plan, int64_t n);

/// A line on stderr for each head that sees no key at all at this length: it runs all the same.
void warnOfEmpty(const std::vector<HeadReport> &heads, int64_t n);

std::string table(const std::vector<HeadReport> &heads, const Style &style);
nlohmann::ordered_json json(const std::vector<HeadReport> &heads);

} // namespace sparsec::cli
