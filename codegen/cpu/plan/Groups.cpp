// The places of what a group computes, and of what its products take.
#include "codegen/cpu/plan/Planner.h"

using namespace mlir;

namespace sparsec::cpu {

/// The matrix or vector whose lanes an operation goes over.
static Value shapeOf(Operation *op) {
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    return reduce.getInput();
  return op->getNumResults() ? op->getResult(0) : op->getOperand(0);
}

//===-- Results -------------------------------------------------------------------------------===//

/// Whether a value may be written where its carry lies: nobody reads the carry after it.
bool Planner::inPlace(Value result, const Group &group, Operation *loop) {
  if (!loop)
    return false;
  Carries carries = carriesOf(loop);
  for (auto [argument, yield] : llvm::zip(carries.arguments, carries.yields)) {
    if (plan.flow.resolve(yield) != result)
      continue;
    for (Operation *reader : plan.flow.readers(argument)) {
      if (!llvm::is_contained(group.ops, reader))
        return false;
      // Vectors are read when a panel begins; of a matrix each element as its sum is loaded.
      if (isMatrix(result) && reader != result.getDefiningOp())
        return false;
      for (const Read &read : loopPlan.reads(reader))
        if (read.value == argument && read.access == Access::Whole)
          return false;
    }
    bool isSum = isa<tile::DotOp>(result.getDefiningOp());
    for (const Read &read : loopPlan.reads(result.getDefiningOp()))
      if (isMatrix(result) && read.value == argument && read.access != Access::Cell)
        return false;
    if (isMatrix(result) && !isSum)
      return false;
    plan.placeOf[result] = plan.placeFor(argument);
    return true;
  }
  return false;
}

namespace {

/// When the operations of a group run: sweep by sweep, a sweep's product before the rest of it.
class RunOrder {
public:
  explicit RunOrder(const std::vector<Sweep> &sweeps) {
    for (auto [s, sweep] : llvm::enumerate(sweeps)) {
      for (auto [i, op] : llvm::enumerate(sweep.ops))
        places[op] = {int(s), int(i)};
      if (sweep.dot)
        places[sweep.dot] = {int(s), -1};
    }
  }
  /// Whether `reader` has read a tile's element when `writer` writes the same element of its own.
  bool isBefore(Operation *reader, Operation *writer) const {
    auto read = places.find(reader), write = places.find(writer);
    if (read == places.end() || write == places.end())
      return false;
    if (read->second.first != write->second.first)
      return read->second.first < write->second.first;
    // Products read whole panels; others read an element before they write it.
    return read->second.second >= 0 && read->second.second <= write->second.second;
  }

private:
  llvm::DenseMap<Operation *, std::pair<int, int>> places;
};

} // namespace

/// A tile whose own readers are done by then, so that its panel can be written over: less of the
/// first-level cache, and no store that seems to overtake a load. Else a place of its own.
int Planner::takeOver(Value result, llvm::SmallVectorImpl<Value> &local, Group &group,
                      llvm::function_ref<bool(Operation *, Operation *)> isBefore) {
  for (Value &other : local) {
    int place = plan.placeFor(other);
    if (tileType(other).getShape() != tileType(result).getShape() ||
        plan.dims.laneDim(other) != plan.dims.laneDim(result) ||
        plan.places[place].element != heldAs(tileType(result).getElementType()))
      continue;
    if (llvm::all_of(plan.flow.readers(other),
                     [&](Operation *reader) { return isBefore(reader, result.getDefiningOp()); })) {
      other = result;
      return place;
    }
  }
  local.push_back(result);
  group.made.push_back(addTile(result, Form::OnePanel));
  return group.made.back();
}

void Planner::placeResults(Group &group, Operation *loop) {
  RunOrder order(group.sweeps);
  SmallVector<Value> local;
  auto isBefore = [&](Operation *reader, Operation *writer) {
    return order.isBefore(reader, writer);
  };
  for (const Sweep &sweep : group.sweeps) {
    SmallVector<Operation *> ops = sweep.ops;
    if (sweep.dot)
      ops.insert(ops.begin(), sweep.dot);
    for (Operation *op : ops) {
      if (op->getNumResults() == 0 || inPlace(op->getResult(0), group, loop))
        continue;
      Value result = op->getResult(0);
      ArrayRef<Operation *> readers = plan.flow.readers(result);
      const OperandForm *own = nullptr;
      bool leaves = false, outlivesRow = false;
      for (Operation *reader : readers) {
        const OperandForm *form = isMatrix(result) ? ownForm(reader, result) : nullptr;
        own = form ? form : own;
        leaves |= !llvm::is_contained(group.ops, reader);
        outlivesRow |= isMatrix(result) && !form && !llvm::is_contained(sweep.ops, reader);
      }
      auto product = plan.products.find(op);
      outlivesRow |= product != plan.products.end() && product->second.kind->sumsInMemory;
      if (own) {
        Place place = own->place(plan.panels, tileType(result), plan.dims.laneDim(result));
        group.made.push_back(add(place));
        plan.packed[result] = {own, group.made.back()};
      }
      if (leaves)
        group.made.push_back(plan.placeOf[result] = addTile(result));
      else if (outlivesRow)
        plan.placeOf[result] = takeOver(result, local, group, isBefore);
    }
  }
}

//===-- Operands ------------------------------------------------------------------------------===//

/// Where a product finds its operands; one with another dimension across lanes is copied first, as
/// is what is free.
void Planner::placeOperands(tile::DotOp dot, Group &group) {
  Product &product = plan.products[dot];
  AskedProduct asked(plan.flow, plan.dims, dot);
  auto own = [&](Value value) {
    if (auto found = plan.packed.find(value); found != plan.packed.end())
      return found->second.place;
    const Load &load = plan.loads[value.getDefiningOp()];
    const OperandForm *form = ownForm(dot, value);
    return llvm::find_if(load.operands,
                         [&](const Load::Operand &each) { return each.form == form; })
        ->place;
  };
  if (product.kind->formOf) {
    product.lanes = own(asked.lanes), product.broadcast = own(asked.broadcast);
    planRegisters(product, group.shape);
    return;
  }
  int lanesDim = product.operands.lanesDim;
  product.lanes = plan.placeFor(asked.lanes);
  if (product.lanes != kNowhere) {
    const Place &has = plan.places[product.lanes];
    bool fits = has.form == Form::OnePanel || (has.isPointers() ? 1 : has.laneDim) == lanesDim;
    product.lanes = fits ? product.lanes : kNowhere;
  }
  if (product.lanes == kNowhere) {
    product.lanes = add(placeInPanels(plan.panels, tileType(asked.lanes), lanesDim));
    group.copies.push_back({asked.lanes, product.lanes});
  }
  product.broadcast = plan.placeFor(asked.broadcast);
  if (product.broadcast == kNowhere) {
    product.broadcast = addTile(asked.broadcast);
    group.copies.push_back({asked.broadcast, product.broadcast});
  }
  planRegisters(product, group.shape);
}

/// As many rows as the level has registers for beside the panel's parts, and general registers for
/// the rows' pointers.
void Planner::planRegisters(Product &product, const PanelShape &shape) const {
  constexpr int64_t kMostPointers = 8;
  if (product.kind->sumsInMemory)
    return;
  product.rows = plan.level.rowsBeside(shape.parts());
  if (plan.places[product.broadcast].isPointers() && product.operands.rowDim == 0)
    product.rows = std::min(product.rows, kMostPointers);
}

void Planner::findVectors(Group &group) const {
  for (Operation *op : group.ops)
    for (const Read &read : loopPlan.reads(op))
      if (isVector(read.value) && read.access != Access::Whole &&
          !llvm::is_contained(group.ops, read.value.getDefiningOp()) &&
          !llvm::is_contained(group.vectors, read.value))
        group.vectors.push_back(read.value);
}

/// What a group by rows takes one number of in each row, and the loads whose next item it asks for
/// while it writes, which is the last that is done to a row.
void Planner::findPerRow(Group &group) const {
  bool lanesAreColumns = plan.dims.laneDim(shapeOf(group.ops.front())) == 1;
  bool writes = llvm::any_of(group.ops, llvm::IsaPred<tile::StoreOp>);
  for (Operation *op : group.ops) {
    for (Value operand : op->getOperands())
      if (auto expand = plan.flow.resolve(operand).getDefiningOp<tile::ExpandOp>();
          expand && (expand.getDim() == 1) == lanesAreColumns)
        group.perRow.push_back(expand);
    for (const Read &read : loopPlan.reads(op)) {
      auto load = plan.loads.find(read.value.getDefiningOp());
      if (writes && load != plan.loads.end() && load->second.nextItem &&
          !llvm::is_contained(group.nextItem, load->second.place))
        group.nextItem.push_back(load->second.place);
    }
  }
}

//===-- Groups --------------------------------------------------------------------------------===//

void Planner::planStore(tile::StoreOp store) {
  tile::ViewType view = store.getView().getType();
  size_t indices = store.getIndices().size();
  Store &planned = plan.stores[store];
  planned.sideBySide = isVector(store.getValue()) && followEachOther(plan.flow, store.getRows()) &&
                       size_t(view.getStrides()) == indices &&
                       isa<FloatType>(view.getElementType()) &&
                       plan.slices.laneClass == Group::kSerial;
  planned.streams =
      isMatrix(store.getValue()) && store.getStreaming() && indices == 0 && view.getStrides() == 1;
}

void Planner::planGroup(Group &group, Operation *loop) {
  Value shape = shapeOf(group.ops.front());
  group.shape = plan.panels.shape(tileType(shape).getDimSize(plan.dims.laneDim(shape)));
  if (group.byRows) {
    group.sweeps.emplace_back().ops = group.ops;
    placeResults(group, loop);
    findPerRow(group);
  } else {
    // Without sums that want many registers, a panel of one vector is as fast and less code.
    if (llvm::none_of(group.ops, llvm::IsaPred<tile::DotOp, tile::ReduceOp>))
      group.shape.panel = group.shape.vector;
    group.sweeps = loopPlan.sweeps(group);
    placeResults(group, loop);
    findUnmasked(group.sweeps);
    for (Operation *op : group.ops)
      if (auto dot = dyn_cast<tile::DotOp>(op))
        placeOperands(dot, group);
    findVectors(group);
    group.liveRows = maskOfRows(group);
  }
  for (Operation *op : group.ops)
    if (auto store = dyn_cast<tile::StoreOp>(op))
      planStore(store);
}

} // namespace sparsec::cpu
