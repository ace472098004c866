// Dropout and casts.
#include "runtime/Elementwise.h"

#include "model/ops/Operations.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

Result<std::shared_ptr<Elementwise>> loadMap(Loader &loader, ElementwiseRequest::Kind kind,
                                             DType from, DType to) {
  ElementwiseRequest request;
  request.entry = std::string(name(kind));
  request.kind = kind;
  request.from = from;
  request.to = to;
  request.target = loader.machine().target;
  return loader.load<Elementwise>(request);
}

} // namespace

std::vector<Use> DropoutWork::uses() const {
  return {{Use::Read, "x", x},
          {Use::Read, "residual", residual},
          {Use::Read, "seed", seed},
          {Use::Written, "out", out}};
}

std::string DropoutWork::shape() const {
  return fmt::format("{} x {}, {}{}", x.rows, x.columns, rate, residual ? ", residual" : "");
}

Result<Launch> DropoutWork::load(Loader &loader) const {
  auto map = loadMap(loader, ElementwiseRequest::Kind::Dropout, from, to);
  if (!map)
    return map.error();
  ElementwiseCall call;
  call.rows = x.rows, call.columns = x.columns;
  call.x = loader.tensor(x), call.residual = loader.tensor(residual);
  call.y = loader.tensor(out), call.seed = loader.tensor(seed);
  call.stream = static_cast<uint32_t>(stream);
  call.drop = rate;
  return Launch([map = *map, call](int64_t) { return map->launch(call); });
}

std::vector<Use> CastWork::uses() const {
  return {{Use::Read, "x", x}, {Use::Written, "out", out}};
}

std::string CastWork::shape() const {
  return fmt::format("{} x {}, {} to {}", x.rows, x.columns, name(from), name(to));
}

Result<Launch> CastWork::load(Loader &loader) const {
  auto map = loadMap(loader, ElementwiseRequest::Kind::Cast, from, to);
  if (!map)
    return map.error();
  ElementwiseCall call;
  call.rows = x.rows, call.columns = x.columns;
  call.x = loader.tensor(x), call.y = loader.tensor(out);
  return Launch([map = *map, call](int64_t) { return map->launch(call); });
}

} // namespace sparsec
