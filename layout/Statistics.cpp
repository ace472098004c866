#include "layout/Statistics.h"

#include <algorithm>

namespace sparsec {

__extension__ typedef __int128 Wide;

int64_t causalElements(const LayoutRequest &request) {
  // Row i sees clamp(i + q0 + 1, 0, nk) keys: rows [rise, top) see i + q0 + 1, later ones nk.
  int64_t rise = std::clamp<int64_t>(-request.q0, 0, request.nq);
  int64_t top = std::clamp<int64_t>(request.nk - request.q0, rise, request.nq);
  auto seenBy = [&](int64_t row) { return row + request.q0 + 1; };
  auto twice = Wide(top - rise) * (seenBy(rise) + seenBy(top - 1));
  return static_cast<int64_t>(twice / 2) + (request.nq - top) * request.nk;
}

Result<Statistics> statistics(const Expr &attend, const LayoutRequest &request) {
  Result<BlockLayout> layout = BlockLayout::build(attend, request);
  if (!layout)
    return layout.error();
  Statistics result;
  result.blocks = layout->counts();
  result.elements = countElements(attend, request);
  result.computed = result.blocks.live * request.blockQ * request.blockK;
  auto per = [&](double whole) { return whole > 0 ? double(result.elements) / whole : 0.0; };
  result.keysPerQuery = per(double(request.nq));
  result.density = per(double(request.nq) * double(request.nk));
  result.densityCausal = per(double(causalElements(request)));
  return result;
}

} // namespace sparsec
