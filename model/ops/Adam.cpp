#include "runtime/Adam.h"

#include "model/ops/Operations.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

/// Tensors that follow each other without a gap are one segment.
std::vector<AdamSegment> segmentsOf(const Parameters &parameters) {
  std::vector<AdamSegment> segments;
  for (const Parameter &each : parameters.all())
    if (each.follows)
      segments.back().length += each.size();
    else
      segments.push_back({.offset = each.offset, .length = each.size(), .decay = each.decays});
  return segments;
}

} // namespace

std::vector<Use> AdamWork::uses() const {
  return {{Use::Read, "gradient", gradient},  {Use::Written, "master", master},
          {Use::Written, "weights", weights}, {Use::Written, "first", first},
          {Use::Written, "second", second},   {Use::Written, "state", state}};
}

std::string AdamWork::shape() const {
  return fmt::format("{} parameters", parameters->count());
}

Result<LoadedCall> AdamWork::load(Loader &loader) const {
  AdamRequest request;
  request.entry = "adam";
  if (weights)
    request.copy = dtype;
  request.target = loader.machine().target;
  std::vector<AdamSegment> segments = segmentsOf(*parameters);
  auto adam = loader.shared<Adam>(
      fmt::format("{} of {}", Request(request).text(), parameters->elements()),
      [&]() -> Result<Adam> {
        auto kernels = loader.kernels(request);
        if (!kernels)
          return kernels.error();
        return Adam::load(loader.machine().device, std::move(*kernels), request, segments);
      });
  if (!adam)
    return adam.error();
  auto loaded = loader.describe(request, *this, sizeof(float));
  if (!loaded)
    return loaded;
  loaded->bind = [this, adam = *adam](const Places &at) {
    AdamCall call{.weights = at.tensor(master),
                  .gradients = at.tensor(gradient),
                  .m = at.tensor(first),
                  .v = at.tensor(second),
                  .copy = at.tensor(weights),
                  .reals = {},
                  .integers = {},
                  .settings = {.beta1 = static_cast<float>(beta1),
                               .beta2 = static_cast<float>(beta2),
                               .epsilon = static_cast<float>(epsilon),
                               .decay = static_cast<float>(weightDecay),
                               .mostNorm = static_cast<float>(gradClip),
                               .interval = dtype == DType::F16 ? kScaleInterval : 0}};
    call.setState(at.address(state));
    return [adam, call](int64_t) { return adam->launch(call); };
  };
  return loaded;
}

} // namespace sparsec
