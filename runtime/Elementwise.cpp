#include "runtime/Elementwise.h"

#include <fmt/core.h>

namespace sparsec {

using Kind = ElementwiseRequest::Kind;

Result<Elementwise> Elementwise::load(Device &device, std::vector<Kernel> kernels,
                                      const ElementwiseRequest &request) {
  if (kernels.size() != 1)
    return internalError("expected the kernel of a map");
  const char *result = request.kind == Kind::GeluBackward ? "dx" : "y";
  Result<LoadedKernel> kernel =
      LoadedKernel::load(device, std::move(kernels[0]),
                         {"x", "dy", "residual", result, "seed", "scale", "stream", "threshold",
                          "rows", "residual_rows", "columns", "column_tiles"});
  if (!kernel)
    return kernel.error();
  Elementwise made;
  made.request = request;
  made.kernel = std::move(*kernel);
  return made;
}

Result<void> Elementwise::launch(const ElementwiseCall &call) const {
  if (!(call.drop >= 0 && call.drop < 1))
    return inputError(
        fmt::format("expected a probability to drop of 0 or more, below 1, found {}", call.drop));
  bool drops = request.kind == Kind::Dropout;
  float scale = drops ? static_cast<float>(1 / (1 - call.drop)) : call.scale;
  RowTile tile = request.tile();
  int64_t across = tilesOf(call.columns, tile.columns);
  MatrixArgument::Extent extent = {call.rows, call.columns};
  auto rows = static_cast<int32_t>(call.rows);
  return kernel.launch(
      tilesOf(call.rows, tile.rows) * across,
      {read(call.x, extent, request.from), read(call.dy, extent, request.from),
       read(call.residual, extent, request.to), written(call.y, extent, request.to),
       MatrixArgument{.tensor = call.seed, .extent = {1, 1}, .elementBytes = 8}, scale,
       static_cast<int32_t>(call.stream), static_cast<int32_t>(dropThreshold(call.drop)), rows,
       call.residual.address ? rows : 0, static_cast<int32_t>(call.columns),
       static_cast<int32_t>(across)});
}

} // namespace sparsec
