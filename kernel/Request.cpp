#include "kernel/Request.h"

#include <fmt/core.h>

namespace sparsec {

std::string Request::text() const {
  return fmt::format("operation {}\nentry {}\ntarget {}\nblock {}x{}\n{}", operation(), entry(),
                     print(target()), block().q, block().k, model->print());
}

Result<Kernel> single(Result<std::vector<Kernel>> kernels) {
  if (!kernels)
    return kernels.error();
  if (kernels->size() != 1)
    return internalError(fmt::format("expected one kernel, found {}", kernels->size()));
  return std::move(kernels->front());
}

} // namespace sparsec
