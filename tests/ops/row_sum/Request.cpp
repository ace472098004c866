#include "tests/ops/row_sum/Request.h"

#include <fmt/core.h>

namespace sparsec {

Result<void> checkRequest(const RowSumRequest &request) {
  if (request.columns >= 16 && request.columns <= 256 && request.columns % 16 == 0)
    return {};
  return inputError(
      fmt::format("expected 16 to 256 columns in steps of 16, found {}", request.columns));
}

Needs needsOf(const RowSumRequest &) {
  return {};
}

std::string describeRequest(const RowSumRequest &request) {
  return fmt::format("row sum, f32, {} columns\n", request.columns);
}

std::string printRequest(const RowSumRequest &request) {
  return fmt::format("columns {}\n", request.columns);
}

} // namespace sparsec
