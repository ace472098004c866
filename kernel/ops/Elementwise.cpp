#include "kernel/ops/Elementwise.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>

namespace sparsec {

std::string_view name(ElementwiseRequest::Kind kind) {
  constexpr std::string_view names[] = {"cast", "gelu", "gelu_backward", "dropout"};
  return names[static_cast<size_t>(kind)];
}

Result<void> checkRequest(const ElementwiseRequest &) {
  return {};
}

Needs needsOf(const ElementwiseRequest &) {
  return {};
}

std::string describeRequest(const ElementwiseRequest &request) {
  return fmt::format("{}, {} to {}\n", name(request.kind), name(request.from), name(request.to));
}

std::string printRequest(const ElementwiseRequest &request) {
  return fmt::format("kind {}\nfrom {}\nto {}\n", name(request.kind), name(request.from),
                     name(request.to));
}

uint32_t dropThreshold(double probability) {
  return static_cast<uint32_t>(std::clamp(std::round(probability * 0x1p32), 0.0, 0x1p32 - 1));
}

} // namespace sparsec
