#include "tools/verify/Judge.h"

#include <fmt/format.h>

#include <cmath>

namespace sparsec {

using reference::Comparison;

namespace {

/// k of the bound.
double unitsAllowed(DType type) {
  switch (type) {
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::F32:
    return 8;
  }
  return 0;
}

/// Visits the rows (dense [batch, head, nq] index, head, query) of the heads of one entry.
template <class F>
void forEachRow(const VerifyCase &c, const Heads &heads, F visit) {
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t h = heads.first, y = 0; y < heads.count; ++y, h += heads.step)
      for (int64_t i = 0; i < c.nq; ++i)
        visit((b * c.heads + h) * c.nq + i, h, i);
}

std::string nameRow(const VerifyCase &c, size_t row) {
  return fmt::format("batch {}, head {}, query {}", row / c.nq / c.heads, row / c.nq % c.heads,
                     row % c.nq);
}

VerifyRow judge(const Outcome &o, VerifyRow row, const Comparison &comparison, int64_t columns) {
  row.error = comparison.error();
  row.bound = comparison.bound(unitsAllowed(o.c.dtype));
  row.passed = row.error <= row.bound && row.detail.empty();
  if (row.error > row.bound && row.detail.empty()) {
    size_t at = comparison.worst();
    const auto &got = columns == 1 ? o.lse : o.out;
    const auto &exact = columns == 1 ? o.exact.lse : o.exact.out;
    row.detail = fmt::format("{}, column {}: expected {}, found {}", nameRow(o.c, at / columns),
                             at % columns, exact[at], got[at]);
  }
  return row;
}

/// With Inputs::Count: out * exp(lse) is the number of keys = column (mod value dim) that were
/// used.
std::string checkCounts(const Outcome &o, const Heads &heads) {
  std::string wrong;
  std::map<int64_t, std::vector<uint8_t>> masks;
  forEachRow(o.c, heads, [&](int64_t at, int64_t h, int64_t i) {
    auto [mask, fresh] = masks.try_emplace(h);
    if (fresh)
      mask->second = reference::attended(o.problem, h);
    for (int64_t column = 0; column < o.c.valueDim && wrong.empty(); ++column) {
      double expected = 0;
      for (int64_t k = column; k < o.c.n; k += o.c.valueDim)
        expected += mask->second[i * o.c.n + k];
      double found = o.out[at * o.c.valueDim + column] * std::exp(double(o.lse[at]));
      // 1/count and P are rounded to the type: far less than half a key.
      if (!(std::abs(found - expected) <= 0.02 * expected))
        wrong = fmt::format("{}: key {} was used {:.4g} times, expected {}", nameRow(o.c, at),
                            column, found, expected);
    }
  });
  return wrong;
}

} // namespace

VerifyRow judgeOut(const Outcome &o, const Heads &heads, VerifyRow row) {
  row.output = "out";
  Comparison comparison;
  forEachRow(o.c, heads, [&](int64_t at, int64_t, int64_t) {
    bool keyless = std::isinf(o.exact.lse[at]);
    for (int64_t i = at * o.c.valueDim; i < (at + 1) * o.c.valueDim; ++i) {
      comparison.add(o.out[i], o.exact.out[i], o.plain.out[i], i);
      if (keyless && o.out[i] != 0 && row.detail.empty())
        row.detail = fmt::format("{}: expected exactly 0 in a row without keys, found {}",
                                 nameRow(o.c, at), o.out[i]);
    }
  });
  if (row.detail.empty() && o.c.inputs == Inputs::Count && o.c.lse == LseOutput::Wanted)
    row.detail = checkCounts(o, heads);
  return judge(o, std::move(row), comparison, o.c.valueDim);
}

VerifyRow judgeLse(const Outcome &o, const Heads &heads, VerifyRow row) {
  row.output = "lse";
  Comparison comparison;
  forEachRow(o.c, heads, [&](int64_t at, int64_t, int64_t) {
    comparison.add(o.lse[at], o.exact.lse[at], o.plain.lse[at], at, o.exact.lseTerms[at]);
  });
  return judge(o, std::move(row), comparison, 1);
}

} // namespace sparsec
