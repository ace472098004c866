#include "runtime/LayerNorm.h"

#include "model/ops/Operations.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

template <class R>
R requestOf(const Machine &machine, std::string entry, int64_t columns, DType dtype) {
  R request;
  request.entry = std::move(entry);
  request.columns = columns;
  request.dtype = dtype;
  request.target = machine.target;
  return request;
}

} // namespace

std::vector<Use> LayerNormWork::uses() const {
  return {{Use::Read, "x", x},        {Use::Read, "gain", gain},    {Use::Read, "bias", bias},
          {Use::Written, "out", out}, {Use::Written, "mean", mean}, {Use::Written, "rstd", rstd}};
}

std::string LayerNormWork::shape() const {
  return fmt::format("{} x {}", x.rows, x.columns);
}

Result<LoadedCall> LayerNormWork::load(Loader &loader) const {
  auto request = requestOf<LayerNormRequest>(loader.machine(), "layer_norm", x.columns, dtype);
  auto norm = loader.load<LayerNorm>(request);
  if (!norm)
    return norm.error();
  auto loaded = loader.describe(request, *this, sparsec::bytes(dtype));
  if (!loaded)
    return loaded;
  loaded->bind = [this, norm = *norm](const Places &at) {
    LayerNormCall call{.rows = x.rows,
                       .x = at.tensor(x),
                       .gain = at.tensor(gain),
                       .bias = at.tensor(bias),
                       .y = at.tensor(out),
                       .mean = at.tensor(mean),
                       .rstd = at.tensor(rstd),
                       .epsilon = static_cast<float>(epsilon)};
    return [norm, call](int64_t) { return norm->launch(call); };
  };
  return loaded;
}

std::vector<Use> LayerNormBackwardWork::uses() const {
  return {{Use::Read, "x", x},           {Use::Read, "gain", gain},
          {Use::Read, "mean", mean},     {Use::Read, "rstd", rstd},
          {Use::Read, "dout", dout},     {Use::Read, "dresidual", dresidual},
          {Use::Written, "dx", dx},      {Use::Written, "dgain", dgain},
          {Use::Written, "dbias", dbias}};
}

std::string LayerNormBackwardWork::shape() const {
  return fmt::format("{} x {}{}", x.rows, x.columns, dresidual ? ", residual" : "");
}

Result<LoadedCall> LayerNormBackwardWork::load(Loader &loader) const {
  auto request = requestOf<LayerNormBackwardRequest>(loader.machine(), "layer_norm_backward",
                                                     x.columns, dtype);
  auto norm = loader.load<LayerNormBackward>(request);
  if (!norm)
    return norm.error();
  auto loaded = loader.describe(request, *this, sparsec::bytes(dtype));
  if (!loaded)
    return loaded;
  loaded->workspace = static_cast<int64_t>((*norm)->workspaceBytes(x.rows));
  loaded->bind = [this, norm = *norm](const Places &at) {
    LayerNormBackwardCall call{.rows = x.rows,
                               .x = at.tensor(x),
                               .gain = at.tensor(gain),
                               .mean = at.tensor(mean),
                               .rstd = at.tensor(rstd),
                               .dy = at.tensor(dout),
                               .dresidual = at.tensor(dresidual),
                               .dx = at.tensor(dx),
                               .dgain = at.tensor(dgain),
                               .dbias = at.tensor(dbias),
                               .accumulate = sums == Sums::Added,
                               .workspace = at.workspace()};
    return [norm, call](int64_t) { return norm->launch(call); };
  };
  return loaded;
}

} // namespace sparsec
