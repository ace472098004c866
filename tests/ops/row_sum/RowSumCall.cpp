#include "tests/ops/row_sum/RowSumCall.h"

namespace sparsec {

RowSum::RowSum(Kernel made, int columns)
    : kernel(std::move(made)), columns(columns), x(kernel.signature, "x"), y(kernel.signature, "y"),
      items(kernel.signature, kernel.grid.order), tiles(kernel.signature, "tiles"),
      heads(kernel.signature, "heads"), rows(kernel.signature, "rows"),
      scale(kernel.signature, "scale") {}

Result<RowSum> RowSum::load(Device &device, Kernel kernel, const RowSumRequest &request) {
  Result<std::unique_ptr<Executable>> executable = device.load(kernel.code, kernel.entry);
  if (!executable)
    return executable.error();
  RowSum made(std::move(kernel), request.columns);
  made.device = &device;
  made.executable = std::move(*executable);
  return made;
}

Result<void> RowSum::launch(const RowSumCall &call) {
  Operand from{"x", call.x, {call.batch, call.heads, call.rows}, columns, 4, 16};
  Operand to{"y", call.y, {call.batch, call.heads, 1}, call.rows, 4, 4};
  for (const Operand &operand : {from, to})
    if (Result<void> ok = checkOperand(operand); !ok)
      return ok;
  if (Result<void> ok = checkDisjoint(to); !ok)
    return ok;
  int64_t perHead = (call.rows + RowSumRequest::kTile - 1) / RowSumRequest::kTile;
  int64_t all = perHead * call.heads * call.batch;
  if (all == 0)
    return {};
  Arguments arguments(kernel.signature);
  arguments.setView(x, call.x.address, call.x.stride);
  arguments.setView(y, call.y.address, call.y.stride);
  arguments.set(items, static_cast<int32_t>(all));
  arguments.set(tiles, static_cast<int32_t>(perHead));
  arguments.set(heads, static_cast<int32_t>(call.heads));
  arguments.set(rows, static_cast<int32_t>(call.rows));
  arguments.set(scale, call.scale);
  const void *parameters[] = {arguments.data()};
  return device->launch(*executable, launchShape(kernel, all, 1, 1), parameters);
}

} // namespace sparsec
