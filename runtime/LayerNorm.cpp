#include "runtime/LayerNorm.h"

namespace sparsec {

Result<LayerNorm> LayerNorm::load(Device &device, std::vector<Kernel> kernels,
                                  const LayerNormRequest &request) {
  if (kernels.size() != 1)
    return internalError("expected the kernel of layer norm");
  Result<LoadedKernel> forward = LoadedKernel::load(
      device, std::move(kernels[0]), {"x", "gain", "bias", "y", "mean", "rstd", "rows", "epsilon"});
  if (!forward)
    return forward.error();
  LayerNorm made;
  made.request = request;
  made.forward = std::move(*forward);
  return made;
}

Result<void> LayerNorm::launch(const LayerNormCall &call) const {
  MatrixArgument::Extent matrix = {call.rows, request.columns}, across = {1, request.columns},
                         perRow = {1, call.rows};
  return forward.launch(
      tilesOf(call.rows, request.tile().rows),
      {read(call.x, matrix, request.stream), read(call.gain, across, DType::F32),
       read(call.bias, across, DType::F32), written(call.y, matrix, request.dtype),
       written(call.mean, perRow, DType::F32), written(call.rstd, perRow, DType::F32),
       static_cast<int32_t>(call.rows), call.epsilon});
}

Result<LayerNormBackward> LayerNormBackward::load(Device &device, std::vector<Kernel> kernels,
                                                  const LayerNormBackwardRequest &request) {
  if (kernels.size() != 2)
    return internalError("expected both kernels of layer norm backward");
  Result<LoadedKernel> gradient =
      LoadedKernel::load(device, std::move(kernels[0]),
                         {"x", "gain", "mean", "rstd", "dy", "dresidual", "dx", "dgain_parts",
                          "dbias_parts", "rows", "dresidual_rows"});
  if (!gradient)
    return gradient.error();
  Result<LoadedKernel> sums = LoadedKernel::load(
      device, std::move(kernels[1]),
      {"dgain_parts", "dbias_parts", "dgain", "dbias", "parts", "prior_columns", "part_tiles"});
  if (!sums)
    return sums.error();
  LayerNormBackward made;
  made.request = request;
  made.device = &device;
  made.gradient = std::move(*gradient);
  made.sums = std::move(*sums);
  return made;
}

size_t LayerNormBackward::workspaceBytes(int64_t rows) const {
  return size_t(2 * tilesOf(rows, request.tile().rows) * request.columns) * sizeof(float);
}

Result<void> LayerNormBackward::reserve(int64_t rows) {
  return workspace.reserve(*device, workspaceBytes(rows));
}

Result<void> LayerNormBackward::launch(const LayerNormBackwardCall &call) {
  Result<DeviceAddress> parts =
      workspace.forCall(*device, call.workspace, workspaceBytes(call.rows));
  if (!parts)
    return parts.error();
  RowTile tile = request.tile();
  int64_t columns = request.columns, tiles = tilesOf(call.rows, tile.rows);
  MatrixArgument::Extent full = {call.rows, columns}, across = {1, columns},
                         perRow = {1, call.rows}, ofParts = {tiles, columns};
  Tensor dgain = matrix(*parts, tiles, columns, 4),
         dbias = matrix(*parts + size_t(tiles * columns) * 4, tiles, columns, 4);
  auto rows = static_cast<int32_t>(call.rows);
  Result<void> launched = gradient.launch(
      tiles, {read(call.x, full, request.stream), read(call.gain, across, DType::F32),
              read(call.mean, perRow, DType::F32), read(call.rstd, perRow, DType::F32),
              read(call.dy, full, request.dtype), read(call.dresidual, full, request.stream),
              written(call.dx, full, request.stream), written(dgain, ofParts, DType::F32),
              written(dbias, ofParts, DType::F32), rows, call.dresidual.address ? rows : 0});
  if (!launched)
    return launched;
  RowTile ofSums = request.sumsTile();
  return sums.launch(tilesOf(columns, ofSums.columns),
                     {read(dgain, ofParts, DType::F32), read(dbias, ofParts, DType::F32),
                      written(call.dgain, across, DType::F32),
                      written(call.dbias, across, DType::F32), static_cast<int32_t>(tiles),
                      static_cast<int32_t>(call.accumulate ? columns : 0),
                      static_cast<int32_t>(tilesOf(tiles, ofSums.rows))});
}

} // namespace sparsec
