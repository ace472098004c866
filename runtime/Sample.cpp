#include "runtime/Sample.h"

#include <fmt/core.h>

namespace sparsec {

Result<Sample> Sample::load(Device &device, std::vector<Kernel> kernels,
                            const SampleRequest &request) {
  if (kernels.size() != 1)
    return internalError("expected the kernel of sampling");
  Result<LoadedKernel> kernel = LoadedKernel::load(
      device, std::move(kernels[0]), {"logits", "seed", "tokens", "rows", "per_unit"});
  if (!kernel)
    return kernel.error();
  Sample made;
  made.request = request;
  made.kernel = std::move(*kernel);
  return made;
}

Result<void> Sample::launch(const SampleCall &call) const {
  if (!(call.temperature >= 0))
    return inputError(
        fmt::format("expected a temperature of 0 or more, found {}", call.temperature));
  // So large that only the largest logits are left; 0 times it is still 0.
  constexpr float kGreatest = 1e30f;
  float perUnit = std::min(1.4426950408889634f / call.temperature, kGreatest);
  MatrixArgument::Extent perRow = {1, call.rows};
  return kernel.launch(tilesOf(call.rows, request.tile().rows),
                       {read(call.logits, {call.rows, request.columns}, request.dtype),
                        MatrixArgument{.tensor = call.seed, .extent = {1, 1}, .elementBytes = 8},
                        written(call.tokens, perRow, DType::F32), static_cast<int32_t>(call.rows),
                        perUnit});
}

} // namespace sparsec
