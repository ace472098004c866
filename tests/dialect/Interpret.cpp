#include "tests/dialect/Interpret.h"

#include "dialect/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace sparsec::testing {
namespace {

int bitsOf(Value value) {
  return getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
}

ArrayRef<int64_t> shapeOf(Value value) {
  auto tensor = dyn_cast<RankedTensorType>(value.getType());
  return tensor ? tensor.getShape() : ArrayRef<int64_t>();
}

size_t countOf(Value value) {
  size_t count = 1;
  for (int64_t size : shapeOf(value))
    count *= static_cast<size_t>(size);
  return count;
}

bool compare(arith::CmpIPredicate predicate, const APInt &a, const APInt &b) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a.slt(b);
  case arith::CmpIPredicate::sle:
    return a.sle(b);
  case arith::CmpIPredicate::sgt:
    return a.sgt(b);
  case arith::CmpIPredicate::sge:
    return a.sge(b);
  case arith::CmpIPredicate::ult:
    return a.ult(b);
  case arith::CmpIPredicate::ule:
    return a.ule(b);
  case arith::CmpIPredicate::ugt:
    return a.ugt(b);
  case arith::CmpIPredicate::uge:
    return a.uge(b);
  }
  llvm_unreachable("all predicates are listed");
}

APInt divide(Operation &op, const APInt &a, const APInt &b) {
  bool isSigned = isa<arith::DivSIOp, arith::RemSIOp>(op);
  if (b.isZero() || (isSigned && a.isMinSignedValue() && b.isAllOnes())) {
    ADD_FAILURE() << "a division without a result: " << a.getSExtValue() << " by "
                  << b.getSExtValue();
    return a;
  }
  if (isa<arith::DivSIOp>(op))
    return a.sdiv(b);
  if (isa<arith::RemSIOp>(op))
    return a.srem(b);
  return isa<arith::DivUIOp>(op) ? a.udiv(b) : a.urem(b);
}

APInt shift(Operation &op, const APInt &a, const APInt &by) {
  if (by.uge(a.getBitWidth())) {
    ADD_FAILURE() << "a shift of " << a.getBitWidth() << " bits by " << by.getZExtValue();
    return a;
  }
  return isa<arith::ShRUIOp>(op) ? a.lshr(by) : a.ashr(by);
}

/// One element of an elementwise operation.
APInt element(Operation &op, ArrayRef<APInt> in, unsigned bits) {
  if (isa<arith::AddIOp>(op))
    return in[0] + in[1];
  if (isa<arith::SubIOp>(op))
    return in[0] - in[1];
  if (isa<arith::MulIOp>(op))
    return in[0] * in[1];
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(op))
    return divide(op, in[0], in[1]);
  if (isa<arith::ShRSIOp, arith::ShRUIOp>(op))
    return shift(op, in[0], in[1]);
  if (isa<arith::AndIOp>(op))
    return in[0] & in[1];
  if (isa<arith::OrIOp>(op))
    return in[0] | in[1];
  if (isa<arith::XOrIOp>(op))
    return in[0] ^ in[1];
  if (isa<arith::MinSIOp>(op))
    return llvm::APIntOps::smin(in[0], in[1]);
  if (isa<arith::MaxSIOp>(op))
    return llvm::APIntOps::smax(in[0], in[1]);
  if (isa<arith::MinUIOp>(op))
    return llvm::APIntOps::umin(in[0], in[1]);
  if (isa<arith::MaxUIOp>(op))
    return llvm::APIntOps::umax(in[0], in[1]);
  if (isa<arith::ExtSIOp>(op))
    return in[0].sext(bits);
  if (isa<arith::ExtUIOp>(op))
    return in[0].zext(bits);
  if (isa<arith::TruncIOp>(op))
    return in[0].trunc(bits);
  if (isa<math::CountLeadingZerosOp>(op))
    return APInt(bits, in[0].countl_zero());
  if (auto lookup = dyn_cast<tile::LookupOp>(op)) {
    ArrayRef<int32_t> table = lookup.getTable();
    if (in[0].uge(table.size())) {
      ADD_FAILURE() << "entry " << in[0].getSExtValue() << " of a table of " << table.size();
      return APInt(bits, 0);
    }
    return APInt(bits, static_cast<uint32_t>(table[in[0].getZExtValue()]));
  }
  if (isa<arith::SelectOp>(op))
    return in[0].isOne() ? in[1] : in[2];
  if (auto comparison = dyn_cast<arith::CmpIOp>(op))
    return APInt(1, compare(comparison.getPredicate(), in[0], in[1]));
  ADD_FAILURE() << "unknown operation " << op.getName().getStringRef().str();
  return APInt(bits, 0);
}

Elements elementwise(Operation &op, const DenseMap<Value, Elements> &values) {
  Elements result;
  for (size_t i = 0; i < countOf(op.getResult(0)); ++i) {
    SmallVector<APInt> in;
    for (Value operand : op.getOperands())
      in.emplace_back(bitsOf(operand), values.at(operand)[i]);
    result.push_back(element(op, in, bitsOf(op.getResult(0))).getZExtValue());
  }
  return result;
}

Elements expand(tile::ExpandOp op, const Elements &input) {
  Elements result;
  ArrayRef<int64_t> shape = shapeOf(op.getResult());
  for (int64_t i = 0; i < shape[0]; ++i)
    for (int64_t j = 0; j < shape[1]; ++j)
      result.push_back(input[op.getDim() == 1 ? i : j]);
  return result;
}

Elements constant(Operation &op) {
  Attribute value;
  matchPattern(op.getResult(0), m_Constant(&value));
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    Elements result;
    for (const APInt &element : dense.getValues<APInt>())
      result.push_back(element.getZExtValue());
    return result;
  }
  return {cast<IntegerAttr>(value).getValue().getZExtValue()};
}

} // namespace

Elements interpret(Block &block, ArrayRef<Elements> arguments, Value result) {
  DenseMap<Value, Elements> values;
  for (auto [argument, elements] : llvm::zip_equal(block.getArguments(), arguments))
    values[argument] = elements;
  for (Operation &op : block) {
    Elements elements;
    if (isa<arith::ConstantOp>(op))
      elements = constant(op);
    else if (isa<tile::SplatOp>(op))
      elements.assign(countOf(op.getResult(0)), values.at(op.getOperand(0))[0]);
    else if (auto expansion = dyn_cast<tile::ExpandOp>(op))
      elements = expand(expansion, values.at(expansion.getInput()));
    else
      elements = elementwise(op, values);
    values[op.getResult(0)] = std::move(elements);
  }
  return values.at(result);
}

} // namespace sparsec::testing
