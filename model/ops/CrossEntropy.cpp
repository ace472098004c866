#include "runtime/CrossEntropy.h"

#include "model/ops/Operations.h"

#include <fmt/format.h>

namespace sparsec {

std::vector<Use> CrossEntropyWork::uses() const {
  return {{Use::Read, "logits", logits},        {Use::Read, "targets", targets},
          {Use::Read, "loss scale", lossScale}, {Use::Written, "losses", losses},
          {Use::Written, "total", total},       {Use::Written, "dlogits", dlogits}};
}

std::string CrossEntropyWork::shape() const {
  return fmt::format("{} x {}{}", logits.rows, logits.columns, dlogits ? ", gradient" : "");
}

Result<Launch> CrossEntropyWork::load(Loader &loader) const {
  CrossEntropyRequest request;
  request.entry = "cross_entropy";
  request.columns = logits.columns;
  request.dtype = dtype;
  request.gradient = static_cast<bool>(dlogits);
  request.lossScale = static_cast<bool>(lossScale);
  request.target = loader.machine().target;
  auto loss = loader.load<CrossEntropy>(request);
  if (!loss)
    return loss.error();
  CrossEntropyCall call{.rows = logits.rows,
                        .logits = loader.tensor(logits),
                        .targets = loader.tensor(targets),
                        .loss = loader.tensor(losses),
                        .dlogits = loader.tensor(dlogits),
                        .scale = static_cast<float>(scale),
                        .lossScale = loader.tensor(lossScale),
                        .total = loader.tensor(total),
                        .factor = static_cast<float>(factor)};
  return Launch([loss = *loss, call](int64_t) { return loss->launch(call); });
}

} // namespace sparsec
