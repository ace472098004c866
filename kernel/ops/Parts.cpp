#include "kernel/ops/Parts.h"

#include "layout/OrderNumbers.h"

#include <fmt/core.h>

namespace sparsec {

std::string describeWay(const OrderSpec &queries, const OrderSpec &keys, const PartRole &role) {
  std::string text;
  OrderShape ofQueries = shapeOf(queries), ofKeys = shapeOf(keys);
  if (ofQueries != OrderShape::Natural || ofKeys != OrderShape::Natural)
    text += fmt::format("queries: {} order, keys: {} order\n", name(ofQueries), name(ofKeys));
  if (!role.first || !role.last)
    text +=
        fmt::format("a part of a head:{}{}\n", role.first ? "" : " goes on from the part before",
                    role.last ? "" : " leaves its sums in f32");
  return text;
}

} // namespace sparsec
