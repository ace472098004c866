#include "kernel/ops/Adam.h"

#include <cstddef>
#include <fmt/core.h>

namespace sparsec {

static_assert(offsetof(AdamState::Reals, correction2) == 4 * size_t(AdamReal::Correction2));
static_assert(offsetof(AdamState::Integers, overflows) == 4 * size_t(AdamInteger::Overflows));

/// A CPU's tiles stay in its first-level cache.
int AdamRequest::tileRows() const {
  return target.path == Path::Cpu ? 16 : 64;
}

Result<void> checkRequest(const AdamRequest &request) {
  if (request.copy == DType::F32)
    return inputError("expected a copy of the weights in f16 or bf16: they are f32 themselves");
  return {};
}

Needs needsOf(const AdamRequest &) {
  return {};
}

std::string describeRequest(const AdamRequest &request) {
  return fmt::format("Adam with decoupled weight decay, gradients in {}{}\n",
                     name(request.gradients),
                     request.copy ? fmt::format(", weights in {} too", name(*request.copy)) : "");
}

std::string printRequest(const AdamRequest &request) {
  return fmt::format("gradients {}\ncopy {}\n", name(request.gradients),
                     request.copy ? name(*request.copy) : "none");
}

} // namespace sparsec
