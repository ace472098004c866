#include "layout/LaunchNumbers.h"

#include "layout/OrderNumbers.h"

namespace sparsec {

int64_t LaunchNumbers::bytes() const {
  size_t count = queryOrder.size() + (keyOrder == queryOrder ? 0 : keyOrder.size());
  if (forms)
    count += forms->numbers.size();
  else
    count +=
        tables.tables.offsets.size() + tables.tables.columns.size() + tables.tables.rowOrder.size();
  return static_cast<int64_t>(count * sizeof(int32_t));
}

Result<LaunchNumbers> launchNumbers(const Expr &attend, const LayoutRequest &request,
                                    const OrderSpec &queries, const OrderSpec &keys,
                                    const Heads &heads, BlockSource source, LayoutRows rows) {
  Result<Order> queryOrder = Order::make(queries, request.nq, request.blockQ);
  if (!queryOrder)
    return queryOrder.error();
  Result<Order> keyOrder = Order::make(keys, request.nk, request.blockK);
  if (!keyOrder)
    return keyOrder.error();
  Result<HeadLayouts> layouts = layoutsOfHeads(attend, request, *queryOrder, *keyOrder, heads);
  if (!layouts)
    return layouts.error();
  const Order &rowOrder = rows == LayoutRows::Queries ? *queryOrder : *keyOrder;
  const Order &columnOrder = rows == LayoutRows::Queries ? *keyOrder : *queryOrder;
  if (rows == LayoutRows::Keys)
    for (BlockLayout &layout : layouts->layouts)
      layout = layout.transpose();
  LaunchNumbers numbers{.rowTiles = rowOrder.tileCount(),
                        .columnTiles = columnOrder.tileCount(),
                        .queryOrder = orderNumbers(*queryOrder),
                        .keyOrder = orderNumbers(*keyOrder),
                        .rowsPerHead = layouts->shared ? 0 : layouts->rows(),
                        .counts = layouts->counts};
  if (source == BlockSource::Auto)
    numbers.forms = formsOf(*layouts, rowOrder, request.work);
  if (numbers.forms)
    return numbers;
  Result<HeadTables> tables = tablesOf(*layouts);
  if (!tables)
    return tables.error();
  numbers.tables = std::move(*tables);
  return numbers;
}

} // namespace sparsec
