#include "codegen/cpu/plan/Dimensions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sparsec::cpu {

Dimensions::Dimensions(tile::KernelOp kernel, const Dataflow &flow) : flow(flow) {
  kernel.walk([&](Operation *op) { visit(op); });
  rankClasses(kernel);
}

int Dimensions::idOf(Value value, int dim) const {
  auto [entry, fresh] = first.try_emplace(flow.resolve(value), int(parent.size()));
  if (fresh)
    for (int i = 0; i < 2; ++i)
      parent.push_back(int(parent.size()));
  return entry->second + dim;
}

int Dimensions::find(int id) const {
  while (parent[id] != id)
    id = parent[id] = parent[parent[id]];
  return id;
}

int Dimensions::classOf(Value value, int dim) const {
  return find(idOf(value, dim));
}

void Dimensions::unite(Value a, int dimA, Value b, int dimB) {
  int from = find(idOf(b, dimB)), to = find(idOf(a, dimA));
  parent[from] = to;
}

void Dimensions::uniteTiles(Value a, Value b) {
  for (int dim = 0; dim < tileType(a).getRank(); ++dim)
    unite(a, dim, b, dim);
}

/// An elementwise operand; of an expansion only the dimension that its input has.
void Dimensions::uniteOperand(Value result, Value operand) {
  if (!tileType(operand))
    return;
  if (!flow.isFree(operand)) {
    uniteTiles(result, operand);
    return;
  }
  auto expand = flow.resolve(operand).getDefiningOp<tile::ExpandOp>();
  if (expand && !flow.isFree(expand.getInput()))
    unite(result, expand.getDim() == 1 ? 0 : 1, expand.getInput(), 0);
}

void Dimensions::visitDot(tile::DotOp dot) {
  int m = dot.getLhsT() ? 1 : 0, n = dot.getRhsT() ? 0 : 1;
  unite(dot.getResult(), 0, dot.getLhs(), m);
  unite(dot.getResult(), 1, dot.getRhs(), n);
  unite(dot.getLhs(), 1 - m, dot.getRhs(), 1 - n);
  if (dot.getAcc())
    uniteOperand(dot.getResult(), dot.getAcc());
}

void Dimensions::visitLoop(ValueRange init, ValueRange carries, ValueRange yields,
                           ValueRange results) {
  for (auto [argument, from, yield, result] : llvm::zip(carries, init, yields, results)) {
    if (!tileType(argument))
      continue;
    uniteTiles(argument, result);
    for (Value other : {Value(from), Value(yield)})
      uniteOperand(argument, other);
  }
}

void Dimensions::visit(Operation *op) {
  if (isElementwise(op)) {
    for (Value operand : op->getOperands())
      uniteOperand(op->getResult(0), operand);
    return;
  }
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](tile::DotOp dot) { visitDot(dot); })
      .Case([&](tile::TransposeOp transpose) {
        unite(transpose.getResult(), 0, transpose.getInput(), 1);
        unite(transpose.getResult(), 1, transpose.getInput(), 0);
      })
      .Case([&](tile::ReduceOp reduce) {
        if (isMatrix(reduce.getInput()) && !flow.isFree(reduce.getInput()))
          unite(reduce.getResult(), 0, reduce.getInput(), 1 - int(reduce.getDim()));
      })
      .Case([&](tile::LoadOp load) {
        unite(load.getResult(), 0, load.getRows(), 0);
        if (load.getColumns())
          unite(load.getResult(), 1, load.getColumns(), 0);
      })
      .Case<tile::StoreOp, tile::AccumulateOp>([&](auto store) {
        if (flow.isFree(store.getValue()))
          return;
        unite(store.getValue(), 0, store.getRows(), 0);
        if (store.getColumns())
          unite(store.getValue(), 1, store.getColumns(), 0);
      })
      .Case([&](tile::PositionsOp positions) {
        unite(positions.getPositions(), 0, positions.getRows(), 0);
      })
      .Case([&](tile::RowsAtOp rows) { unite(rows.getRows(), 0, rows.getPositions(), 0); })
      .Case<tile::FoldOp, scf::ForOp>([&](auto loop) {
        Carries carries = carriesOf(loop);
        visitLoop(carries.init, carries.arguments, carries.yields, carries.results);
      });
}

/// A class gains by every computed tile that it could be the lanes of, most inside of loops, and
/// loses by reductions along it; a little by tiles whose columns lie along it in memory.
void Dimensions::rankClasses(tile::KernelOp kernel) {
  kernel.walk([&](Operation *op) {
    double weight = op->getParentOp() == kernel ? 1 : 4;
    auto gain = [&](Value value, int dim, double by) { merit[classOf(value, dim)] += by; };
    if (auto dot = dyn_cast<tile::DotOp>(op))
      for (Value each : {dot.getLhs(), dot.getRhs()})
        for (int dim : {0, 1})
          ofProducts.insert(classOf(each, dim));
    if (isa<tile::DotOp>(op) || isElementwise(op)) {
      Value result = op->getResult(0);
      if (isMatrix(result))
        for (int dim : {0, 1})
          gain(result, dim, weight);
    } else if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
      gain(reduce.getInput(), int(reduce.getDim()), -8 * weight);
    } else if (isa<tile::LoadOp>(op) && isMatrix(op->getResult(0))) {
      gain(op->getResult(0), 1, 0.1);
    } else if (auto store = dyn_cast<tile::StoreOp>(op); store && isMatrix(store.getValue())) {
      gain(store.getValue(), 1, 0.1);
    }
  });
}

bool Dimensions::isAlongLanes(Operation *op) const {
  auto reduce = dyn_cast<tile::ReduceOp>(op);
  return reduce && isMatrix(reduce.getInput()) &&
         int(reduce.getDim()) == laneDim(reduce.getInput());
}

int Dimensions::laneDim(Value value) const {
  if (!isMatrix(value))
    return 0;
  int rows = classOf(value, 0), columns = classOf(value, 1);
  if (!ofProducts.contains(rows) && !ofProducts.contains(columns))
    return 1;
  double row = merit.lookup(rows), column = merit.lookup(columns);
  if (row == column) // the earlier class: the same answer for every tile of both
    return rows < columns ? 0 : 1;
  return row > column ? 0 : 1;
}

} // namespace sparsec::cpu
