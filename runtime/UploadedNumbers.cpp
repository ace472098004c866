#include "runtime/UploadedNumbers.h"

namespace sparsec {

Result<UploadedNumbers> upload(Device &device, LaunchNumbers numbers) {
  UploadedNumbers result{.rowsPerHead = static_cast<int32_t>(numbers.rowsPerHead),
                         .rowTiles = numbers.rowTiles,
                         .columnTiles = numbers.columnTiles,
                         .counts = numbers.counts};
  std::vector<std::pair<Buffer *, std::span<const int32_t>>> uploads = {
      {&result.queryOrder, numbers.queryOrder}, {&result.keyOrder, numbers.keyOrder}};
  if (numbers.forms) {
    uploads.push_back({&result.forms, numbers.forms->numbers});
    result.formStride = static_cast<int32_t>(numbers.forms->stride);
  } else {
    BlockTables &tables = numbers.tables.tables;
    tables.columns.push_back(0); // kernels may form the address of an empty list
    uploads.push_back({&result.offsets, tables.offsets});
    uploads.push_back({&result.columns, tables.columns});
    uploads.push_back({&result.rowOrder, tables.rowOrder});
  }
  for (auto &[buffer, values] : uploads) {
    if (values.empty())
      continue;
    Result<Buffer> uploaded = Buffer::upload(device, std::as_bytes(values));
    if (!uploaded)
      return uploaded.error();
    *buffer = std::move(*uploaded);
  }
  return result;
}

} // namespace sparsec
