// The block lists of all model heads that use one entry of a pattern, one after another: what a
// kernel launched over those heads reads.
//
//   3 heads of 2 rows, layout rows    0 1 | 2 3 | 4 5      row i of head y is y * rowsPerHead + i
//   offsets, 2 a row and one more     head 1's go on where head 0's end: one array, one base
//   rowOrder                          i of each head, longest first, from y * rowsPerHead
//
// A predicate that does not mention h needs one table: rowsPerHead is 0 and every y reads the same.
// Where every head's rows have a closed form, its numbers take the place of the tables.
#pragma once

#include "layout/ClosedForm.h"

namespace sparsec {

/// The model's heads first, first + step, ..., count in all.
struct Heads {
  int64_t first = 0;
  int64_t step = 1;
  int64_t count = 1;
};

struct HeadTables {
  BlockTables tables;      ///< rowOrder holds rows within their head: 0 .. rows - 1
  int64_t rowsPerHead = 0; ///< what kernels take as layout_stride
};

/// The closed forms of all heads, one after another.
struct HeadForms {
  std::vector<int32_t> numbers;
  int64_t stride = 0; ///< integers from one head's to the next; 0: all heads share one
  std::string text;   ///< ClosedForm::print of the first head's; of pieces one after the other
};

/// The layouts of all heads; one where the predicate does not mention h.
struct HeadLayouts {
  std::vector<BlockLayout> layouts;
  BlockCounts counts; ///< of all heads, a shared layout counted for each

  bool shared = true;
  int64_t rows() const { return layouts.front().rows(); } ///< of a head
};

/// request.h is not used. Error when a head's layout does not fit, or 64 bits do not count the
/// blocks of all.
Result<HeadLayouts> layoutsOfHeads(const Expr &attend, const LayoutRequest &request,
                                   const Order &queries, const Order &keys, const Heads &heads);
/// Error when 32-bit offsets do not reach all blocks: what is told by forms has no such bound.
Result<HeadTables> tablesOf(const HeadLayouts &heads);
/// Nothing when a head has no closed form. `rows` is the order of the layouts' rows.
std::optional<HeadForms> formsOf(const HeadLayouts &heads, const Order &rows, Work *work = nullptr);

} // namespace sparsec
