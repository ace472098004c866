// What the tests of the layout share: predicates from text, the zoo's as one line each, and the
// plain readings that everything is compared with: one evaluation for each pair.
#pragma once

#include "layout/BlockLayout.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec::test {

inline Expr predicate(const std::string &text) {
  Result<Expr> parsed =
      parsePredicate(std::make_shared<SourceText>(SourceText{.name = "test", .text = text}));
  if (!parsed)
    throw std::invalid_argument(parsed.error().render());
  return *parsed;
}

inline Expr local(int64_t l) {
  return predicate(fmt::format("0 <= q - k < {}", l));
}
inline Expr column(int64_t l) {
  return predicate(fmt::format("k <= q and (q - k) % {} == 0", l));
}
inline Expr united(int64_t l) {
  return predicate(fmt::format("k <= q and (q - k < {} or (q - k) % {} == 0)", l, l));
}
inline Expr fixedMerged(int64_t l, int64_t c) {
  return predicate(
      fmt::format("k <= q and (q // {} == k // {} or k % {} >= {} - {})", l, l, l, l, c));
}
inline Expr causal() {
  return predicate("k <= q");
}

/// Truth of every pair, row by row.
class DenseMask {
public:
  DenseMask(const Expr &attend, const LayoutRequest &request)
      : nq(request.nq), nk(request.nk), truths(nq * nk) {
    for (int64_t i = 0; i < nq; ++i)
      for (int64_t k = 0; k < nk; ++k)
        truths[i * nk + k] =
            evaluate(attend, {.h = request.h, .q = i + request.q0, .k = k}, request.sizes());
  }
  bool at(int64_t row, int64_t key) const { return truths[row * nk + key]; }
  int64_t count() const { return std::count(truths.begin(), truths.end(), true); }

private:
  int64_t nq, nk;
  std::vector<bool> truths;
};

/// What a block must be, by looking at each of its pairs: '.', 'P' or 'F'.
inline char blockOf(const DenseMask &mask, const LayoutRequest &request, int64_t row,
                    int64_t column) {
  int64_t firstRow = row * request.blockQ, endRow = std::min(firstRow + request.blockQ, request.nq);
  int64_t firstKey = column * request.blockK, lastKey = firstKey + request.blockK;
  bool all = lastKey <= request.nk, any = false;
  for (int64_t i = firstRow; i < endRow; ++i)
    for (int64_t k = firstKey; k < std::min(lastKey, request.nk); ++k)
      (mask.at(i, k) ? any = true : all = false);
  return !any ? '.' : all ? 'F' : 'P';
}

/// The picture of a layout by the definition alone.
inline std::string expectedPicture(const Expr &attend, const LayoutRequest &request) {
  DenseMask mask(attend, request);
  std::string text;
  for (int64_t row = 0; row * request.blockQ < request.nq; ++row) {
    for (int64_t column = 0; column * request.blockK < request.nk; ++column) {
      text += column ? " " : "";
      text += blockOf(mask, request, row, column);
    }
    text += '\n';
  }
  return text;
}

inline std::string describe(const Expr &attend, const LayoutRequest &request) {
  return fmt::format("{}  (nq {}, nk {}, q0 {}, h {}, blocks {} x {})", print(attend), request.nq,
                     request.nk, request.q0, request.h, request.blockQ, request.blockK);
}

} // namespace sparsec::test
