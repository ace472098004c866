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

Result<LoadedCall> CrossEntropyWork::load(Loader &loader) const {
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
  auto loaded = loader.describe(request, *this, sparsec::bytes(dtype));
  if (!loaded)
    return loaded;
  loaded->bind = [this, loss = *loss](const Places &at) {
    CrossEntropyCall call{.rows = logits.rows,
                          .logits = at.tensor(logits),
                          .targets = at.tensor(targets),
                          .loss = at.tensor(losses),
                          .dlogits = at.tensor(dlogits),
                          .scale = static_cast<float>(scale),
                          .lossScale = at.tensor(lossScale),
                          .total = at.tensor(total),
                          .factor = static_cast<float>(factor)};
    return [loss, call](int64_t) { return loss->launch(call); };
  };
  return loaded;
}

} // namespace sparsec
