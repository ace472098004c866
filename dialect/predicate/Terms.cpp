#include "dialect/predicate/Terms.h"

#include "dialect/Tile.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace sparsec {

SmallVector<int64_t> TermBuilder::shape(Positions over) {
  auto size = [](Value vector) { return cast<RankedTensorType>(vector.getType()).getDimSize(0); };
  SmallVector<int64_t> result;
  if (over & OnQuery)
    result.push_back(size(inputs.queries));
  if (over & OnKey)
    result.push_back(size(inputs.keys));
  if (inputs.keysFirst)
    std::reverse(result.begin(), result.end());
  return result;
}

Value TermBuilder::raise(Term term, Positions over) {
  if (term.over == over)
    return term.value;
  Type element = getElementTypeOrSelf(term.value.getType());
  auto type = RankedTensorType::get(shape(over), element);
  if (term.over == Neither)
    return tile::SplatOp::create(b, type, term.value);
  bool alongRows = (term.over == OnQuery) != inputs.keysFirst;
  return tile::ExpandOp::create(b, type, term.value, /*dim=*/alongRows ? 1 : 0);
}

Value TermBuilder::constant(int64_t value, int bits, Positions over) {
  IntegerType element = b.getIntegerType(bits);
  APInt truncated = APInt(64, value, /*isSigned=*/true).sextOrTrunc(bits);
  if (over == Neither)
    return arith::ConstantOp::create(b, IntegerAttr::get(element, truncated));
  auto type = RankedTensorType::get(shape(over), element);
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, truncated));
}

/// A number in so many bits (32: its low ones), raised.
Value TermBuilder::number(const Number &number, int bits, Positions over) {
  if (number.isConstant())
    return constant(number.bounds.low, bits, over);
  int has = bitsFor(number.bounds);
  Term term = number;
  Type element = b.getIntegerType(bits);
  if (auto tensor = dyn_cast<RankedTensorType>(term.value.getType()))
    element = tensor.clone(element);
  if (has < bits && number.bounds.low < 0)
    term.value = arith::ExtSIOp::create(b, element, term.value);
  else if (has < bits)
    term.value = arith::ExtUIOp::create(b, element, term.value);
  else if (has > bits)
    term.value = arith::TruncIOp::create(b, element, term.value);
  return raise(term, over);
}

/// 64 bits to 32.
Value TermBuilder::truncate(Value value, Positions over) {
  Type type = b.getI32Type();
  if (over != Neither)
    type = RankedTensorType::get(shape(over), type);
  return arith::TruncIOp::create(b, type, value);
}

} // namespace sparsec
