#include "kernel/ops/CrossEntropy.h"

#include <fmt/core.h>

namespace sparsec {

Result<void> checkRequest(const CrossEntropyRequest &request) {
  return checkRowWidth(request.columns);
}

Needs needsOf(const CrossEntropyRequest &) {
  return {};
}

std::string describeRequest(const CrossEntropyRequest &request) {
  return fmt::format("softmax cross-entropy{}, {}, {} classes\n",
                     request.gradient ? " with its gradient" : "", name(request.dtype),
                     request.columns);
}

std::string printRequest(const CrossEntropyRequest &request) {
  return fmt::format("columns {}\ndtype {}\ngradient {}\n", request.columns, name(request.dtype),
                     request.gradient ? "yes" : "no");
}

} // namespace sparsec
