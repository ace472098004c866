#include "kernel/ops/LayerNorm.h"

#include <fmt/core.h>

namespace sparsec {

Result<void> checkRequest(const LayerNormRequest &request) {
  return checkRowWidth(request.columns);
}

/// On a GPU narrow tiles of many rows: there are as many parts as tiles of rows, and few columns.
RowTile LayerNormRequest::sumsTile() const {
  return target.kind() == TargetKind::Gpu ? RowTile{.rows = 256, .columns = 32} : tile();
}

Needs needsOf(const LayerNormRequest &) {
  return {};
}

static std::string sizes(const LayerNormRequest &request) {
  return fmt::format("rows of {} in {}, normalised in {}\n", request.columns, name(request.stream),
                     name(request.dtype));
}

std::string describeRequest(const LayerNormRequest &request) {
  return "layer norm, " + sizes(request);
}
std::string describeRequest(const LayerNormBackwardRequest &request) {
  return "layer norm backward, " + sizes(request);
}

std::string printRequest(const LayerNormRequest &request) {
  return fmt::format("columns {}\nstream {}\ndtype {}\n", request.columns, name(request.stream),
                     name(request.dtype));
}

} // namespace sparsec
