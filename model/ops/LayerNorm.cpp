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

Result<Launch> LayerNormWork::load(Loader &loader) const {
  auto request = requestOf<LayerNormRequest>(loader.machine(), "layer_norm", x.columns, dtype);
  auto norm = loader.load<LayerNorm>(request);
  if (!norm)
    return norm.error();
  LayerNormCall call{.rows = x.rows,
                     .x = loader.tensor(x),
                     .gain = loader.tensor(gain),
                     .bias = loader.tensor(bias),
                     .y = loader.tensor(out),
                     .mean = loader.tensor(mean),
                     .rstd = loader.tensor(rstd),
                     .epsilon = static_cast<float>(epsilon)};
  return Launch([norm = *norm, call](int64_t) { return norm->launch(call); });
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

Result<Launch> LayerNormBackwardWork::load(Loader &loader) const {
  auto request = requestOf<LayerNormBackwardRequest>(loader.machine(), "layer_norm_backward",
                                                     x.columns, dtype);
  auto norm = loader.load<LayerNormBackward>(request);
  if (!norm)
    return norm.error();
  if (Result<void> ready = (*norm)->reserve(x.rows); !ready)
    return ready.error();
  LayerNormBackwardCall call{.rows = x.rows,
                             .x = loader.tensor(x),
                             .gain = loader.tensor(gain),
                             .mean = loader.tensor(mean),
                             .rstd = loader.tensor(rstd),
                             .dy = loader.tensor(dout),
                             .dresidual = loader.tensor(dresidual),
                             .dx = loader.tensor(dx),
                             .dgain = loader.tensor(dgain),
                             .dbias = loader.tensor(dbias),
                             .accumulate = sums == Sums::Added};
  return Launch([norm = *norm, call](int64_t) { return norm->launch(call); });
}

} // namespace sparsec
