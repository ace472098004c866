#include "model/ops/Operations.h"

#include <fmt/format.h>

namespace sparsec {

std::vector<Use> EmbeddingWork::uses() const {
  std::vector<Use> all = {
      {Use::Read, "tokens", tokens}, {Use::Read, "table", table}, {Use::Written, "out", out}};
  for (const BufferView &each : tables)
    all.push_back({Use::Read, "positions", each});
  return all;
}

std::string EmbeddingWork::shape() const {
  return fmt::format("{} x {}, {} tables", out.rows, out.columns, 1 + tables.size());
}

std::vector<Use> EmbeddingBackwardWork::uses() const {
  std::vector<Use> all = {
      {Use::Read, "tokens", tokens}, {Use::Read, "dout", dout}, {Use::Written, "table", table}};
  for (const BufferView &each : tables)
    all.push_back({Use::Written, "positions", each});
  return all;
}

std::string EmbeddingBackwardWork::shape() const {
  return fmt::format("{} x {}, {} tables", dout.rows, dout.columns, 1 + tables.size());
}

} // namespace sparsec
