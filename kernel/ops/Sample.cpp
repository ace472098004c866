#include "kernel/ops/Sample.h"

#include <fmt/core.h>

namespace sparsec {

Result<void> checkRequest(const SampleRequest &request) {
  return checkRowWidth(request.columns);
}

Needs needsOf(const SampleRequest &) {
  return {};
}

std::string describeRequest(const SampleRequest &request) {
  return fmt::format("sampling, {}, {} classes\n", name(request.dtype), request.columns);
}

std::string printRequest(const SampleRequest &request) {
  return fmt::format("columns {}\ndtype {}\n", request.columns, name(request.dtype));
}

} // namespace sparsec
