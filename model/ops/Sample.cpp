#include "runtime/Sample.h"

#include "model/ops/Operations.h"

#include <fmt/format.h>

namespace sparsec {

std::vector<Use> SampleWork::uses() const {
  return {
      {Use::Read, "logits", logits}, {Use::Read, "seed", seed}, {Use::Written, "tokens", tokens}};
}

std::string SampleWork::shape() const {
  return fmt::format("{} x {}, temperature {}", logits.rows, logits.columns, temperature);
}

Result<LoadedCall> SampleWork::load(Loader &loader) const {
  SampleRequest request;
  request.entry = "sample";
  request.columns = logits.columns;
  request.dtype = dtype;
  request.target = loader.machine().target;
  auto sample = loader.load<Sample>(request);
  if (!sample)
    return sample.error();
  auto loaded = loader.describe(request, *this, sparsec::bytes(dtype));
  if (!loaded)
    return loaded;
  loaded->bind = [this, sample = *sample](const Places &at) {
    SampleCall call{.rows = logits.rows,
                    .logits = at.tensor(logits),
                    .seed = at.tensor(seed),
                    .tokens = at.tensor(tokens),
                    .temperature = static_cast<float>(temperature)};
    return [sample, call](int64_t) { return sample->launch(call); };
  };
  return loaded;
}

} // namespace sparsec
