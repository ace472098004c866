// What a pattern's heads cost at one length, as they were planned, layer by layer: the rows of
// compile's summary, of `show --stats` and of `compare`.
#pragma once

#include "tools/sparsec/Plan.h"
#include "tools/sparsec/Terminal.h"

#include <nlohmann/json.hpp>

namespace sparsec::cli {

/// What stands below a table that has a "~".
inline constexpr const char *kEstimated = "~ estimated from a few rows of blocks: to count them "
                                          "exactly takes too much work at this length\n";

/// A pass over a row's pairs.
struct PassReport {
  const PatternPass *pass = nullptr;
  Candidate way; ///< that was chosen; its cost is that of all heads of the row
  /// Share of dense causal attention's products that is not computed, both in whole blocks.
  double saved = 0;
};

/// A row of a pattern in the ways that were chosen for its entry.
struct HeadReport {
  HeadRow row;
  Lengths at;
  std::vector<PassReport> passes; ///< as planned, one at least

  int64_t elements() const { return passes[0].way.cost.elements; }
  double density() const { return double(elements()) / (double(at.nq) * double(at.n)); }
  double keysPerQuery() const { return double(elements()) / double(at.nq); }
};

struct LayerReport {
  Layer layer;
  std::vector<HeadReport> heads;
};
/// Of each of the plan's layers.
Result<std::vector<LayerReport>> reportLayers(const Plan &plan, int64_t n);

/// A line on stderr for each row that sees no key at all at this length: it runs all the same.
void warnOfEmpty(const std::vector<LayerReport> &layers);

/// With a column that says which layers where there are several, and one that says which passes.
std::string table(const std::vector<LayerReport> &layers, const Style &style);
/// Adds what is said of one layer to `report`, or of several {"layers": [{"indices": ..., ...}]}.
void addLayers(nlohmann::ordered_json &report, const std::vector<Layer> &layers,
               const std::vector<nlohmann::ordered_json> &each);
/// Likewise, their heads.
void addLayers(nlohmann::ordered_json &report, const std::vector<LayerReport> &layers);

/// "12.3 us", "4.56 ms"
std::string duration(double seconds);

} // namespace sparsec::cli
