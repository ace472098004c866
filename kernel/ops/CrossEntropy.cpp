#include "kernel/ops/CrossEntropy.h"

#include <fmt/core.h>

namespace sparsec {

Result<void> checkRequest(const CrossEntropyRequest &request) {
  if (request.targetBytes != 1 && request.targetBytes != 4)
    return inputError(
        fmt::format("expected targets of 1 or 4 bytes, found {}", request.targetBytes));
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
  return fmt::format("columns {}\ndtype {}\ngradient {}\nloss_scale {}\ntarget_bytes {}\n",
                     request.columns, name(request.dtype), request.gradient ? "yes" : "no",
                     request.lossScale ? "yes" : "no", request.targetBytes);
}

} // namespace sparsec
