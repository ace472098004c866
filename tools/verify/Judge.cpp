#include "tools/verify/Judge.h"

#include "tests/reference/Comparison.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

/// Compares the elements of some heads; `row` brings the names, and what is already known to be
/// wrong.
VerifyRow compare(const Expected &expected, const std::vector<int64_t> &heads,
                  const std::vector<float> &found, VerifyRow row) {
  reference::Comparison comparison;
  int64_t ofHead = expected.rows * expected.columns;
  int64_t batches = ofHead ? static_cast<int64_t>(found.size()) / (expected.heads * ofHead) : 0;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h : heads)
      for (int64_t i = (b * expected.heads + h) * ofHead, end = i + ofHead; i < end; ++i)
        comparison.add(found[i], expected.exact[i],
                       expected.plain.empty() ? expected.exact[i] : double(expected.plain[i]), i,
                       expected.terms.empty() ? 0 : expected.terms[i]);
  row.error = comparison.error();
  row.bound = comparison.bound(expected.units);
  row.passed = row.error <= row.bound && row.detail.empty();
  if (row.error > row.bound && row.detail.empty()) {
    int64_t at = static_cast<int64_t>(comparison.worst());
    row.detail = fmt::format("batch {}, head {}, {} {}, column {}: expected {}, found {}",
                             at / ofHead / expected.heads, at / ofHead % expected.heads,
                             expected.row, at / expected.columns % expected.rows,
                             at % expected.columns, expected.exact[at], found[at]);
  }
  return row;
}

} // namespace

std::vector<VerifyRow> judge(const VerifyCase &c, Trial &trial, const Tensors &found,
                             std::span<const std::string> faults) {
  const std::vector<Expected> &outputs = trial.expected();
  std::vector<std::vector<float>> values;
  for (const Expected &expected : outputs)
    values.push_back(found[expected.output].get());
  std::vector<std::string> groups = trial.groups();
  std::vector<VerifyRow> rows;
  for (size_t group = 0; group < groups.size(); ++group)
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Expected &expected = outputs[i];
      if (expected.headsOf[group].empty())
        continue;
      VerifyRow row{.operation = std::string(c.operation()),
                    .output = expected.output,
                    .head = groups[group],
                    .testCase = c,
                    .detail = faults[group]};
      if (row.detail.empty())
        row.detail = trial.check(expected.output, group, found);
      rows.push_back(compare(expected, expected.headsOf[group], values[i], std::move(row)));
    }
  return rows;
}

} // namespace sparsec
