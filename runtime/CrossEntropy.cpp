#include "runtime/CrossEntropy.h"

namespace sparsec {

Result<CrossEntropy> CrossEntropy::load(Device &device, std::vector<Kernel> kernels,
                                        const CrossEntropyRequest &request) {
  if (kernels.size() != 2)
    return internalError("expected both kernels of cross-entropy");
  Result<LoadedKernel> ofRows =
      LoadedKernel::load(device, std::move(kernels[0]),
                         {"logits", "targets", "loss", "dlogits", "loss_scale", "rows", "scale"});
  if (!ofRows)
    return ofRows.error();
  Result<LoadedKernel> sum = LoadedKernel::load(device, std::move(kernels[1]),
                                                {"loss", "total", "rows", "tiles", "factor"});
  if (!sum)
    return sum.error();
  CrossEntropy made;
  made.request = request;
  made.ofRows = std::move(*ofRows);
  made.sum = std::move(*sum);
  return made;
}

Result<void> CrossEntropy::launch(const CrossEntropyCall &call) const {
  RowTile tile = request.tile();
  MatrixArgument::Extent full = {call.rows, request.columns}, perRow = {1, call.rows};
  auto rows = static_cast<int32_t>(call.rows);
  Result<void> launched = ofRows.launch(
      tilesOf(call.rows, tile.rows),
      {read(call.logits, full, request.dtype),
       MatrixArgument{
           .tensor = call.targets, .extent = perRow, .elementBytes = request.targetBytes},
       written(call.loss, perRow, DType::F32), written(call.dlogits, full, request.dtype),
       read(call.lossScale, {1, 1}, DType::F32), rows, call.scale});
  if (!launched || call.total.address == 0)
    return launched;
  return sum.launch(1,
                    {read(call.loss, perRow, DType::F32), written(call.total, {1, 1}, DType::F32),
                     rows, static_cast<int32_t>(tilesOf(call.rows, tile.columns)), call.factor});
}

} // namespace sparsec
