// The rows of a layout one after the other, without keeping it: for what only counts or lists them.
#pragma once

#include "layout/BlockLayout.h"

#include <functional>

namespace sparsec {

using RowVisitor = std::function<void(std::span<const BlockRun>)>;

/// Calls visit() with the runs of each block row of the layout that BlockLayout::build() would
/// find, in order. Rows that repeat are kept, to be copied: the bytes that a layout may take count
/// for those alone, and for what is found at one time.
Result<void> visitRows(const Expr &attend, const LayoutRequest &request, const Order &queries,
                       const Order &keys, const RowVisitor &visit);

} // namespace sparsec
