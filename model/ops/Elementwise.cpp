// Dropout and casts.
#include "runtime/Elementwise.h"

#include "model/ops/Operations.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

struct LoadedMap {
  std::shared_ptr<Elementwise> map;
  LoadedCall call;
};

Result<LoadedMap> loadMap(Loader &loader, ElementwiseRequest::Kind kind, DType from, DType to,
                          const CallOperation &operation) {
  ElementwiseRequest request;
  request.entry = std::string(name(kind));
  request.kind = kind;
  request.from = from;
  request.to = to;
  request.target = loader.machine().target;
  auto map = loader.load<Elementwise>(request);
  if (!map)
    return map.error();
  auto call = loader.describe(request, operation, sizeof(float));
  if (!call)
    return call.error();
  return LoadedMap{*map, std::move(*call)};
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

Result<LoadedCall> DropoutWork::load(Loader &loader) const {
  auto loaded = loadMap(loader, ElementwiseRequest::Kind::Dropout, from, to, *this);
  if (!loaded)
    return loaded.error();
  loaded->call.bind = [this, map = loaded->map](const Places &at) {
    ElementwiseCall call;
    call.rows = x.rows, call.columns = x.columns;
    call.x = at.tensor(x), call.residual = at.tensor(residual);
    call.y = at.tensor(out), call.seed = at.tensor(seed);
    call.stream = static_cast<uint32_t>(stream);
    call.drop = rate;
    return [map, call](int64_t) { return map->launch(call); };
  };
  return std::move(loaded->call);
}

std::vector<Use> CastWork::uses() const {
  return {{Use::Read, "x", x}, {Use::Written, "out", out}};
}

std::string CastWork::shape() const {
  return fmt::format("{} x {}, {} to {}", x.rows, x.columns, name(from), name(to));
}

Result<LoadedCall> CastWork::load(Loader &loader) const {
  auto loaded = loadMap(loader, ElementwiseRequest::Kind::Cast, from, to, *this);
  if (!loaded)
    return loaded.error();
  loaded->call.bind = [this, map = loaded->map](const Places &at) {
    ElementwiseCall call;
    call.rows = x.rows, call.columns = x.columns;
    call.x = at.tensor(x), call.y = at.tensor(out);
    return [map, call](int64_t) { return map->launch(call); };
  };
  return std::move(loaded->call);
}

} // namespace sparsec
