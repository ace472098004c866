#include "codegen/cpu/plan/LoopPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec::cpu {
namespace {

/// Operations on one row of a product that are done while it is in registers; each is emitted once
/// for every row of a register tile.
constexpr size_t kMostAfterProduct = 40;

bool writesMemory(Operation *op) {
  if (isa<tile::StoreOp, tile::AccumulateOp, tile::StoreScalarOp>(op))
    return true;
  return op
      ->walk([](Operation *inner) {
        return isa<tile::StoreOp, tile::AccumulateOp, tile::StoreScalarOp>(inner)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}
bool readsMemory(Operation *op) {
  return isa<tile::LoadOp, tile::ScalarOp>(op) || op->getNumRegions() > 0;
}

} // namespace

bool isForMasksAlone(Operation *op) {
  llvm::SmallPtrSet<Operation *, 16> met = {op};
  SmallVector<Operation *> open = {op};
  while (!open.empty()) {
    Operation *next = open.pop_back_val();
    if (next->getNumResults() != 1)
      return false;
    for (OpOperand &use : next->getUses()) {
      auto mask = dyn_cast<tile::MaskOp>(use.getOwner());
      if (mask && mask.getAttend() != use.get())
        return false;
      if (!mask && met.insert(use.getOwner()).second)
        open.push_back(use.getOwner());
    }
  }
  return true;
}

Value unmasked(const Dataflow &flow, Value value) {
  value = flow.resolve(value);
  while (auto mask = value.getDefiningOp<tile::MaskOp>())
    value = flow.resolve(mask.getScores());
  return value;
}

DotOperands dotOperands(tile::DotOp dot, const Dimensions &dims) {
  auto result = cast<RankedTensorType>(dot.getType());
  int m = dot.getLhsT() ? 1 : 0, n = dot.getRhsT() ? 0 : 1;
  int64_t sum = tileType(dot.getLhs()).getDimSize(1 - m);
  if (dims.laneDim(dot.getResult()) == 0)
    return {dot.getLhs(), m, dot.getRhs(), n, result.getDimSize(1), sum};
  return {dot.getRhs(), n, dot.getLhs(), m, result.getDimSize(0), sum};
}

void LoopPlan::collect(Value operand, Access access, int laneDim,
                       SmallVectorImpl<Read> &out) const {
  Value value = flow.resolve(operand);
  Operation *op = value.getDefiningOp();
  if (op && isa<arith::ConstantOp>(op))
    return;
  if (auto expand = dyn_cast_or_null<tile::ExpandOp>(op)) {
    bool acrossLanes = (expand.getDim() == 1 ? 0 : 1) == laneDim;
    collect(expand.getInput(), acrossLanes ? access : Access::Whole, laneDim, out);
  } else if (op && (isa<tile::SplatOp>(op) || flow.isDeferred(op))) {
    for (Value inner : op->getOperands())
      collect(inner, access, laneDim, out);
  } else {
    out.push_back({value, access});
  }
}

void LoopPlan::collectDot(tile::DotOp dot, SmallVectorImpl<Read> &out) const {
  DotOperands operands = dotOperands(dot, dims);
  bool fits = dims.laneDim(operands.lanes) == operands.lanesDim && !flow.isFree(operands.lanes);
  collect(operands.lanes, fits ? Access::Lane : Access::Whole, operands.lanesDim, out);
  collect(operands.broadcast, Access::Whole, operands.rowDim, out);
  if (dot.getAcc())
    collect(dot.getAcc(), Access::Cell, dims.laneDim(dot.getResult()), out);
}

SmallVector<Read> LoopPlan::reads(Operation *op) const {
  SmallVector<Read> out;
  if (auto dot = dyn_cast<tile::DotOp>(op)) {
    collectDot(dot, out);
    return out;
  }
  bool lanes = laneClass(op) != Group::kSerial;
  Value shape = op->getNumResults() ? op->getResult(0) : Value();
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    shape = reduce.getInput();
  if (auto store = dyn_cast<tile::StoreOp>(op))
    shape = store.getValue();
  if (auto store = dyn_cast<tile::AccumulateOp>(op))
    shape = store.getValue();
  int laneDim = lanes ? dims.laneDim(shape) : 0;
  for (Value operand : op->getOperands())
    collect(operand, lanes ? Access::Cell : Access::Whole, laneDim, out);
  if (op->getNumRegions())
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        collect(operand, Access::Whole, 0, out);
    });
  return out;
}

int LoopPlan::laneClass(Operation *op) const {
  if (isElementwise(op) || isa<tile::DotOp>(op))
    return dims.laneClass(op->getResult(0));
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    return isMatrix(reduce.getInput()) ? dims.laneClass(reduce.getInput()) : Group::kSerial;
  auto stored = [&](auto store) {
    return isMatrix(store.getValue()) ? dims.laneClass(store.getValue()) : Group::kSerial;
  };
  if (auto store = dyn_cast<tile::StoreOp>(op))
    return stored(store);
  if (auto store = dyn_cast<tile::AccumulateOp>(op))
    return stored(store);
  return Group::kSerial;
}

/// A group while operations join it.
struct LoopPlan::Draft {
  int laneClass = Group::kSerial;
  bool byPanels = false, byRows = false; ///< what some operation of it asks for
  int rowClass = -1;                     ///< of its matrices; -1: not one
};

/// The matrix that an operation on lanes goes over.
static Value shapeOf(Operation *op) {
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    return reduce.getInput();
  if (auto store = dyn_cast<tile::StoreOp>(op))
    return store.getValue();
  if (auto store = dyn_cast<tile::AccumulateOp>(op))
    return store.getValue();
  return op->getResult(0);
}

/// In a full block masks keep what they are given, which panels know.
bool LoopPlan::mayGoByRows(Operation *op) const {
  if (isa<tile::StoreOp, tile::AccumulateOp>(op))
    return dims.laneDim(shapeOf(op)) == 1;
  if (isElementwise(op))
    return isMatrix(op->getResult(0)) && !isa<tile::MaskOp>(op) && !isForMasksAlone(op);
  return dims.isAlongLanes(op);
}

bool LoopPlan::fits(Operation *op, const Draft &group) const {
  if (laneClass(op) != group.laneClass)
    return false;
  if (group.laneClass == Group::kSerial)
    return true;
  bool sameRows = mayGoByRows(op) && dims.rowClass(shapeOf(op)) == group.rowClass;
  if (group.byRows)
    return sameRows;
  return !dims.isAlongLanes(op) || (!group.byPanels && sameRows);
}

void LoopPlan::add(Operation *op, Draft &group) const {
  if (group.laneClass == Group::kSerial)
    return;
  group.byRows |= dims.isAlongLanes(op);
  group.byPanels |= !mayGoByRows(op) || dims.rowClass(shapeOf(op)) != group.rowClass;
}

/// The last group that a matrix can be computed in, so that what reads it finds its panel in the
/// first-level cache: that of its first reader, where they share lanes.
int LoopPlan::lastGroup(Operation *op, ArrayRef<Draft> groups,
                        const DenseMap<Operation *, int> &place) const {
  int now = place.lookup(op), mine = groups[now].laneClass;
  if (mine == Group::kSerial || op->getNumResults() == 0 || !isMatrix(op->getResult(0)))
    return now;
  int last = int(groups.size()) - 1;
  for (Operation *reader : flow.readers(op->getResult(0))) {
    auto found = place.find(reader);
    if (found == place.end())
      return now;
    bool whole = llvm::any_of(reads(reader), [&](const Read &read) {
      return read.value == op->getResult(0) && read.access == Access::Whole;
    });
    last = std::min(last, found->second - int(whole));
  }
  while (last > now && !fits(op, groups[last]))
    --last;
  return std::max(last, now);
}

std::vector<Group> LoopPlan::groups(ArrayRef<Operation *> ops) const {
  std::vector<Draft> drafts;
  DenseMap<Operation *, int> place;
  int lastRead = 0, lastWrite = 0;
  for (Operation *op : ops) {
    if (flow.isDeferred(op) || (op->getNumResults() == 1 && flow.isFree(op->getResult(0))))
      continue;
    int mine = laneClass(op), lowest = 0;
    for (const Read &read : reads(op)) {
      auto found = place.find(read.value.getDefiningOp());
      if (found == place.end())
        continue;
      bool together = drafts[found->second].laneClass == mine &&
                      (mine == Group::kSerial || read.access != Access::Whole) &&
                      !dims.isAlongLanes(found->first);
      lowest = std::max(lowest, found->second + (together ? 0 : 1));
    }
    bool writes = writesMemory(op), readsSome = readsMemory(op);
    if (writes)
      lowest = std::max({lowest, lastRead, lastWrite});
    else if (readsSome)
      lowest = std::max(lowest, lastWrite);
    size_t at = lowest;
    while (at < drafts.size() && !fits(op, drafts[at]))
      ++at;
    if (at == drafts.size()) {
      bool matrix = mine != Group::kSerial && isMatrix(shapeOf(op));
      drafts.push_back({.laneClass = mine, .rowClass = matrix ? dims.rowClass(shapeOf(op)) : -1});
    }
    add(op, drafts[at]);
    place[op] = int(at);
    if (writes)
      lastWrite = std::max(lastWrite, int(at));
    if (readsSome)
      lastRead = std::max(lastRead, int(at));
  }
  for (Operation *op : llvm::reverse(ops))
    if (auto found = place.find(op); found != place.end()) {
      found->second = lastGroup(op, drafts, place);
      add(op, drafts[found->second]);
    }
  std::vector<Group> result;
  for (const Draft &draft : drafts)
    result.push_back({draft.laneClass, {}});
  for (Operation *op : ops)
    if (auto found = place.find(op); found != place.end())
      result[found->second].ops.push_back(op);
  for (auto [group, draft] : llvm::zip(result, drafts))
    group.byRows = group.laneClass != Group::kSerial && !draft.byPanels &&
                   (draft.byRows || llvm::all_of(group.ops, [&](Operation *op) {
                      return dims.laneDim(shapeOf(op)) == 1;
                    }));
  llvm::erase_if(result, [](const Group &group) { return group.ops.empty(); });
  return result;
}

std::vector<Sweep> LoopPlan::sweeps(const Group &group) const {
  std::vector<Sweep> result;
  DenseMap<Operation *, int> place;
  size_t onRows = llvm::count_if(
      group.ops, [](Operation *op) { return isElementwise(op) && isMatrix(op->getResult(0)); });
  for (Operation *op : group.ops) {
    Sweep mine;
    Value matrix = op->getNumResults() ? op->getResult(0) : Value();
    if (auto reduce = dyn_cast<tile::ReduceOp>(op))
      matrix = reduce.getInput();
    if (isa<tile::StoreOp, tile::AccumulateOp>(op))
      mine.kind = Sweep::Store;
    else if (isVector(matrix))
      mine.kind = Sweep::Vectors;
    if (mine.kind == Sweep::Rows) {
      int rowDim = 1 - dims.laneDim(matrix);
      mine.rowClass = dims.classOf(matrix, rowDim);
      mine.rows = tileType(matrix).getDimSize(rowDim);
    }
    // A product is emitted once, not once for blocks with masks and once for those without.
    bool ofMasks = isa<tile::MaskOp>(op) || isForMasksAlone(op);
    auto fits = [&](const Sweep &sweep) {
      return sweep.kind == mine.kind && sweep.rowClass == mine.rowClass &&
             sweep.rows == mine.rows && (!sweep.dot || (onRows <= kMostAfterProduct && !ofMasks));
    };
    int lowest = 0;
    for (const Read &read : reads(op)) {
      Operation *producer = read.value.getDefiningOp();
      auto found = place.find(producer);
      if (found == place.end())
        continue;
      bool together = fits(result[found->second]) && !isa<tile::ReduceOp>(producer) &&
                      (mine.kind == Sweep::Vectors || read.access == Access::Cell) &&
                      isMatrix(read.value) == (mine.kind == Sweep::Rows);
      lowest = std::max(lowest, found->second + (together ? 0 : 1));
    }
    if (auto dot = dyn_cast<tile::DotOp>(op)) {
      mine.dot = dot;
      place[op] = int(result.size());
      result.push_back(mine);
      continue;
    }
    size_t at = lowest;
    while (at < result.size() && !fits(result[at]))
      ++at;
    if (at == result.size())
      result.push_back(mine);
    result[at].ops.push_back(op);
    place[op] = int(at);
  }
  return result;
}

} // namespace sparsec::cpu
