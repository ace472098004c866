#include "kernel/ops/Embedding.h"

#include "kernel/ops/RowTile.h"

#include <fmt/core.h>

namespace sparsec {

std::string_view name(IndexType type) {
  return type == IndexType::U8 ? "u8" : "i32";
}
int bytes(IndexType type) {
  return type == IndexType::U8 ? 1 : 4;
}

/// The widest that leaves none over, so that no column needs to be asked for; else 64.
static int slabOf(int64_t columns, int most) {
  for (int slab = most; slab >= 32; slab -= 16)
    if (columns % slab == 0)
      return slab;
  return columns <= 16 ? 16 : 64;
}
int EmbeddingRequest::slab() const {
  return slabOf(columns, 128);
}
/// Products of f32 are many instructions a column.
int EmbeddingGradientRequest::slab() const {
  return slabOf(columns, dtype == DType::F32 ? 64 : 128);
}

Result<void> checkRequest(const EmbeddingRequest &request) {
  if (request.positions < 0 || request.positions > 16)
    return inputError(fmt::format("expected 0 to 16 position tables, found {}", request.positions));
  return checkRowWidth(request.columns);
}
Result<void> checkRequest(const EmbeddingGradientRequest &request) {
  return checkRowWidth(request.columns);
}

std::string describeRequest(const EmbeddingRequest &request) {
  return fmt::format("embedding of {} tokens and {} positions, rows of {} in {}, tables in {}\n",
                     name(request.tokens), request.positions, request.columns, name(request.dtype),
                     name(request.tables));
}
std::string describeRequest(const EmbeddingGradientRequest &request) {
  return fmt::format("gradient of a table by {}{} indices, rows of {} in {}\n",
                     request.sorted ? "sorted " : "", name(request.index), request.columns,
                     name(request.dtype));
}

std::string printRequest(const EmbeddingRequest &request) {
  return fmt::format("columns {}\ntables {}\ndtype {}\ntokens {}\npositions {}\n", request.columns,
                     name(request.tables), name(request.dtype), name(request.tokens),
                     request.positions);
}
std::string printRequest(const EmbeddingGradientRequest &request) {
  return fmt::format("columns {}\ndtype {}\nindex {}\n{}", request.columns, name(request.dtype),
                     name(request.index), request.sorted ? "sorted\n" : "");
}

} // namespace sparsec
