// What a launch of a kernel needs beside its tensors, for one length: the numbers of its token
// orders, and its live blocks as closed forms or tables.
//
//   strided column, n = 1,048,576, l = 1,024, residue order:   640 bytes of order, 232 of forms
//   a pattern without structure:                                4 bytes a block, 12 a row
#pragma once

#include "layout/HeadTables.h"

namespace sparsec {

/// How a kernel is told its live blocks.
enum class BlockSource : uint8_t {
  Auto, ///< by a closed form where there is one
  Tables,
};

/// Which axis the rows of a layout lie on: those that a kernel's work items are.
enum class LayoutRows : uint8_t {
  Queries,
  Keys, ///< the transposed layout: what dk and dv fold
};

struct LaunchNumbers {
  int64_t rowTiles = 0;                      ///< x of the grid: tiles of the rows' axis
  int64_t columnTiles = 0;                   ///< of the other axis
  std::vector<int32_t> queryOrder, keyOrder; ///< orderNumbers(); empty: natural order
  std::optional<HeadForms> forms;
  HeadTables tables;       ///< where there are no forms
  int64_t rowsPerHead = 0; ///< what kernels take as layout_stride
  BlockCounts counts;      ///< of all heads

  int64_t bytes() const; ///< of all that is uploaded; one list where both orders are one
};

/// request.h is not used. Error: an order that is none or of another length, a layout that does not
/// fit, or tables that do not where there are no forms.
Result<LaunchNumbers> launchNumbers(const Expr &attend, const LayoutRequest &request,
                                    const OrderSpec &queries, const OrderSpec &keys,
                                    const Heads &heads, BlockSource source = BlockSource::Auto,
                                    LayoutRows rows = LayoutRows::Queries);

} // namespace sparsec
