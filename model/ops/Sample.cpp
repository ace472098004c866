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

Result<Launch> SampleWork::load(Loader &loader) const {
  SampleRequest request;
  request.entry = "sample";
  request.columns = logits.columns;
  request.dtype = dtype;
  request.target = loader.machine().target;
  auto sample = loader.load<Sample>(request);
  if (!sample)
    return sample.error();
  SampleCall call{.rows = logits.rows,
                  .logits = loader.tensor(logits),
                  .seed = loader.tensor(seed),
                  .tokens = loader.tensor(tokens),
                  .temperature = static_cast<float>(temperature)};
  return Launch([sample = *sample, call](int64_t) { return sample->launch(call); });
}

} // namespace sparsec
