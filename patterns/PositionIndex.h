// An index of a position: integer arithmetic of the language over t, a position, and n, their
// number. Which row of a table a position takes:
//
//   t // 32          the row of an image 32 wide         t // 3 % 32     its column, 3 bytes each
//   t % 3            the colour                          t               a row for each position
//
// t is the language's k: an index is an Expr over Key and Keys. Refused, with the place: what is no
// integer, and q, h and nq, which a position does not have.
#pragma once

#include "patterns/Expr.h"

namespace sparsec {

Result<Expr> parseIndex(std::shared_ptr<const SourceText> text);
/// The value at each position 0 .. n - 1. Error: one that is not in 0 .. rows - 1.
Result<std::vector<int32_t>> indicesOf(const Expr &index, int64_t n, int64_t rows);
/// Whether row q of a table is that of position k: the pattern whose live blocks a table's gradient
/// folds.
Expr takesRow(const Expr &index);

} // namespace sparsec
