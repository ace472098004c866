// Which row a work item of `tile.work rows` has.
//
//   grid (x, y, z)     head = head_first + y head_step     batch = z
//                      row  = row_order[y layout_stride + x], or what the target says of x where
//                             there is no order
#pragma once

#include "codegen/common/LayoutFields.h"
#include "codegen/common/ScalarBuilder.h"

namespace sparsec {

/// Of the work of a head.
template <ScalarBuilder Builder>
class WorkRow {
public:
  using Scalar = typename Builder::Scalar;

  /// `field(LayoutField)` is a field of the layout whose rows are the work.
  template <class FieldOf>
  WorkRow(Builder &emit, FieldOf &&field, Scalar y)
      : emit(emit), y(y), first(emit.multiply(y, field(kLayoutStride))),
        rowOrder(field(kRowOrder)) {}

  /// Null where there is none.
  Scalar order() const { return rowOrder; }
  /// The row that is item x of the order.
  Scalar inOrder(Scalar x) {
    Scalar place = emit.wide(emit.add(first, x));
    return emit.number(emit.advance(rowOrder, emit.multiply(place, 4)), 0);
  }
  /// Of the model.
  template <class FieldOf>
  Scalar head(FieldOf &&field) {
    Scalar from = field(kHeadFirst);
    return emit.add(from, emit.multiply(y, field(kHeadStep)));
  }
  /// The tables have the rows of all heads.
  Scalar tableRow(Scalar row) { return emit.add(first, row); }

private:
  Builder &emit;
  Scalar y, first, rowOrder;
};

} // namespace sparsec
