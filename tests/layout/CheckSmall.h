// One predicate against its dense mask at every small size: what the exhaustive tests run for each.
#pragma once

#include "tests/layout/Predicates.h"

#include <bit>

namespace sparsec::test {

/// Pairs of up to 8 x 8, bit 8 * row + key.
class SmallMask {
public:
  SmallMask(const Expr &attend, const LayoutRequest &request) : request(request) {
    for (int64_t i = 0; i < request.nq; ++i)
      for (int64_t k = 0; k < request.nk; ++k)
        if (evaluate(attend, {.h = request.h, .q = i + request.q0, .k = k}, request.sizes()))
          bits |= uint64_t{1} << (8 * i + k);
  }

  int64_t count() const { return std::popcount(bits); }

  /// '.', 'P' or 'F', by the definition.
  char block(int64_t row, int64_t column, int blockQ, int blockK) const {
    uint64_t inRange = 0;
    for (int64_t i = row * blockQ; i < std::min((row + 1) * blockQ, request.nq); ++i)
      for (int64_t k = column * blockK; k < std::min((column + 1) * blockK, request.nk); ++k)
        inRange |= uint64_t{1} << (8 * i + k);
    if (!(bits & inRange))
      return '.';
    bool keysExist = (column + 1) * blockK <= request.nk;
    return keysExist && (bits & inRange) == inRange ? 'F' : 'P';
  }

private:
  LayoutRequest request;
  uint64_t bits = 0;
};

/// Whether the layout's runs are exactly these blocks: ascending, merged, counted.
inline bool agrees(const BlockLayout &layout, const SmallMask &mask) {
  const LayoutRequest &request = layout.request();
  BlockCounts counts;
  for (int64_t r = 0; r < layout.rows(); ++r) {
    std::span<const BlockRun> runs = layout.row(r);
    size_t at = 0;
    char before = '.';
    for (int32_t c = 0; c < layout.columns(); ++c) {
      if (at < runs.size() && runs[at].end == c)
        ++at;
      bool inside = at < runs.size() && runs[at].begin <= c;
      char found = !inside ? '.' : runs[at].kind == BlockKind::Full ? 'F' : 'P';
      bool unmerged = inside && runs[at].begin == c && before == found;
      if (found != mask.block(r, c, request.blockQ, request.blockK) || unmerged)
        return false;
      before = found;
      counts.live += found != '.';
      counts.full += found == 'F';
      counts.partial += found == 'P';
    }
    if (at < runs.size() && (at + 1 != runs.size() || runs[at].end != layout.columns()))
      return false;
  }
  return counts == layout.counts();
}

/// Every length and block of the exhaustive test, at one head; nullopt when all agree, else the
/// first that does not.
inline std::optional<LayoutRequest> firstMismatch(const Expr &attend, int64_t h,
                                                  std::optional<int64_t> q0 = {}) {
  constexpr int64_t kLengths[][2] = {{5, 5}, {7, 7}, {8, 8}, {5, 8}, {8, 5}};
  for (auto [nq, nk] : kLengths) {
    LayoutRequest request = {.nq = nq, .nk = nk, .q0 = q0.value_or(nk - nq), .h = h};
    SmallMask mask(attend, request);
    for (int block : {1, 2, 4}) {
      request.blockQ = request.blockK = block;
      Result<BlockLayout> layout = BlockLayout::build(attend, request);
      if (!layout || layout->request() != request || !agrees(*layout, mask))
        return request;
    }
    request.blockQ = request.blockK = 2;
    request.search = LayoutRequest::Search::Cells;
    if (Result<BlockLayout> layout = BlockLayout::build(attend, request);
        !layout || !agrees(*layout, mask))
      return request;
    request.search = LayoutRequest::Search::Auto;
    if (*countElements(attend, request) != mask.count())
      return request;
  }
  return std::nullopt;
}

} // namespace sparsec::test
