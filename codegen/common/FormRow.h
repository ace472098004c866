// The live blocks of one row of a layout, from its head's closed form (layout/ClosedForm.h) at run
// time.
//
//   list       0 .. 2      3 .. 4         the runs of a row, one after the other
//   columns    5 6 7       0 4
//              run 0       run 1          column = first + index step: 5 + index, and -12 + 4 index
//
// A run's `first` has what lies before it in the list taken off, so a block's column follows from
// its index in the list alone.
#pragma once

#include "codegen/common/LayoutFields.h"
#include "codegen/common/ScalarBuilder.h"
#include "layout/ClosedForm.h"

#include <tuple>

namespace sparsec {

/// The runs of one row, from the numbers of its head's closed form.
template <ScalarBuilder Builder>
class FormRow {
public:
  using Scalar = typename Builder::Scalar;

  FormRow(Builder &emit, Scalar forms, Scalar row) : emit(emit) {
    Scalar next = emit.number(forms, ClosedForm::kNext);
    Scalar isFirst = emit.less(row, next), zero = emit.i32(0);
    Scalar skipped = emit.select(isFirst, zero, emit.number(forms, ClosedForm::kNextAt));
    row = emit.subtract(row, emit.select(isFirst, zero, next));
    forms = emit.advance(forms, emit.wide(emit.multiply(skipped, 4)));
    Scalar lead = emit.number(forms, ClosedForm::kLead);
    Scalar tail = emit.number(forms, ClosedForm::kTailStart);
    auto [u, phase] = emit.divideBy(row, forms, ClosedForm::kPhases);
    std::tie(t, m) = emit.divideBy(u, forms, ClosedForm::kBoxTiles);
    // The lead rows' phases come first, then the repeating ones, then those of the tail.
    Scalar isLead = emit.less(row, lead);
    phase = emit.select(isLead, row, emit.add(lead, phase));
    Scalar repeating = emit.number(forms, ClosedForm::kPhases);
    Scalar afterAll = emit.add(emit.add(lead, repeating), emit.subtract(row, tail));
    phase = emit.select(emit.less(row, tail), phase, emit.select(isLead, row, afterAll));
    Scalar bytes = emit.wide(emit.multiply(phase, 4 * ClosedForm::kPhase));
    begin = emit.advance(emit.advance(forms, 4 * ClosedForm::kHead), bytes);
  }

  /// Where the numbers of its runs are.
  Scalar runs() const { return begin; }

  struct Run {
    Scalar first; ///< column, less `step` times what lies before the run in the list
    Scalar step;
    Scalar end; ///< where the run ends in the list
  };
  /// The run with these numbers; `before`: where the one before it ends.
  Run run(Scalar numbers, Scalar before) {
    auto number = [&](int i) { return emit.number(numbers, i); };
    auto bound = [&](int at) {
      Scalar constant = number(at), perT = emit.multiply(number(at + 1), t);
      Scalar value = emit.add(constant, emit.add(perT, emit.multiply(number(at + 2), m)));
      Scalar low = number(ClosedForm::kLow);
      return emit.least(emit.most(value, low), number(ClosedForm::kHigh));
    };
    Scalar low = bound(ClosedForm::kBegin), step = number(ClosedForm::kStep);
    Scalar high = bound(ClosedForm::kEnd);
    Scalar count = emit.most(emit.subtract(high, low), emit.i32(0));
    Scalar origin = number(ClosedForm::kOrigin);
    Scalar first = emit.add(origin, emit.multiply(emit.subtract(low, before), step));
    return {first, step, emit.add(before, count)};
  }

private:
  Builder &emit;
  Scalar t = {}, m = {}, begin = {};
};

/// The runs of a row of the tables, which is one of head `y`'s. `field(LayoutField)` is a field of
/// the layout, `forms` the one of row forms.
template <ScalarBuilder Builder, class FieldOf>
FormRow<Builder> formRow(Builder &emit, FieldOf &&field, typename Builder::Scalar forms,
                         typename Builder::Scalar y, typename Builder::Scalar tableRow) {
  auto skipped = emit.multiply(emit.wide(emit.multiply(y, field(kFormStride))), 4);
  auto row = emit.subtract(tableRow, emit.multiply(y, field(kLayoutStride)));
  return FormRow<Builder>(emit, emit.advance(forms, skipped), row);
}

/// `of(run)`, an array of numbers, for the run that the block at `index` of a row's list lies in.
/// `endOf(run)`: where a run ends in the list.
template <ScalarBuilder Builder, class EndOf, class Of>
auto ofRunAt(Builder &emit, typename Builder::Scalar index, EndOf &&endOf, Of &&of) {
  auto chosen = of(RowBlocks::kRuns - 1);
  for (int run = RowBlocks::kRuns - 1; run-- > 0;) {
    typename Builder::Scalar inside = emit.less(index, endOf(run));
    auto numbers = of(run);
    for (size_t i = 0; i < chosen.size(); ++i)
      chosen[i] = emit.select(inside, numbers[i], chosen[i]);
  }
  return chosen;
}

} // namespace sparsec
