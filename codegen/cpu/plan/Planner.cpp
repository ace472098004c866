#include "codegen/cpu/plan/Planner.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;

namespace sparsec::cpu {

Plan::Plan(tile::KernelOp kernel, const Level &level)
    : kernel(kernel), level(level), flow(kernel),
      dims(kernel, flow), panels{level.panel(), level.vector} {}

int Plan::placeFor(Value value) const {
  auto found = placeOf.find(value);
  return found == placeOf.end() ? kNowhere : found->second;
}

bool Plan::has(const ProductKind &kind) const {
  return llvm::any_of(products, [&](auto &each) { return each.second.kind == &kind; });
}

std::unique_ptr<const Plan> makePlan(tile::KernelOp kernel, const Level &level) {
  auto plan = std::make_unique<Plan>(kernel, level);
  Planner(*plan).run();
  return plan;
}

bool followEachOther(const Dataflow &flow, Value rows) {
  auto op = flow.resolve(rows).getDefiningOp<tile::RowsOp>();
  return op && op.getRows().getType().getOrder() == tile::OrderKind::Natural &&
         op.getRows().getType().getHeads() == 1;
}

void Planner::run() {
  SmallVector<Operation *> ops;
  for (Operation &op : plan.kernel.getBody().front().without_terminator())
    ops.push_back(&op);
  chooseKinds(ops);
  plan.kernel.walk([&](Operation *op) {
    if (isLoop(op))
      chooseKinds(Dataflow::body(op));
  });
  for (const ProductKind *kind : productKinds())
    if (kind->panel && plan.has(*kind))
      plan.panels.panel = kind->panel;
  plan.slices = findSlices(ops);
  plan.kernel.walk([&](mlir::math::Exp2Op power) {
    if (arith::SubFOp difference = decayOf(plan.flow, power))
      plan.decays[power] = difference;
  });
  plan.body = planRegion(ops, nullptr);
}

/// The first kind of each product that takes it.
void Planner::chooseKinds(ArrayRef<Operation *> ops) {
  for (const Group &group : loopPlan.groups(ops)) {
    if (group.laneClass == Group::kSerial)
      continue;
    std::vector<Sweep> sweeps = loopPlan.sweeps(group);
    for (Operation *op : group.ops) {
      auto dot = dyn_cast<tile::DotOp>(op);
      if (!dot)
        continue;
      AskedProduct asked(plan.flow, plan.dims, dot);
      for (const ProductKind *kind : productKinds())
        if (kind->isOn(plan.level) && kind->takes(asked, sweeps)) {
          plan.products[op] = {kind, asked.operands};
          break; // the table is in the order of preference
        }
    }
  }
}

int Planner::add(const Place &place) {
  plan.places.push_back(place);
  return int(plan.places.size()) - 1;
}

/// Of a vector, or of a matrix in panels.
int Planner::addTile(Value value, Form form) {
  RankedTensorType type = tileType(value);
  if (type.getRank() == 2)
    return add(placeInPanels(plan.panels, type, plan.dims.laneDim(value), form));
  Place place;
  place.element = heldAs(type.getElementType());
  place.shape = plan.panels.shape(type.getDimSize(0));
  return add(place);
}

//===-- Regions -------------------------------------------------------------------------------===//

std::vector<Group> Planner::planRegion(ArrayRef<Operation *> ops, Operation *loop) {
  std::vector<Group> groups = loopPlan.groups(ops);
  for (Group &group : groups) {
    if (group.laneClass != Group::kSerial) {
      planGroup(group, loop);
      continue;
    }
    for (Operation *op : group.ops)
      planSerial(op);
  }
  return groups;
}

/// An operand of an operation that takes it from memory; what is free gets some.
void Planner::placeOperand(Operation *op, Value operand) {
  if (plan.placeFor(plan.flow.resolve(operand)) == kNowhere)
    plan.copied[op] = addTile(plan.flow.resolve(operand));
}

void Planner::planSerial(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](tile::PositionsOp positions) {
        plan.placeOf[positions.getPositions()] = addTile(positions.getPositions());
      })
      .Case([&](tile::LoadOp load) { planLoad(load); })
      .Case([&](tile::StoreOp store) {
        placeOperand(store, store.getValue());
        planStore(store);
      })
      .Case([&](tile::ReduceOp reduce) { placeOperand(reduce, reduce.getInput()); })
      .Case([&](tile::RowsAtOp rows) { placeOperand(rows, rows.getPositions()); })
      .Case([&](tile::TransposeOp transpose) {
        placeOperand(transpose, transpose.getInput());
        plan.placeOf[transpose.getResult()] = addTile(transpose.getResult());
      })
      .Case<tile::FoldOp, scf::ForOp>([&](auto loop) { planLoop(loop); })
      .Default([](Operation *) {}); // scalars
}

//===-- Loops ---------------------------------------------------------------------------------===//

/// Whether a list of blocks has some with masks and some without.
static bool hasBoth(const Dataflow &flow, Value blocks) {
  auto list = flow.resolve(blocks).getDefiningOp<tile::BlocksOp>();
  return list && list.getSet() == tile::BlockSet::All;
}

void Planner::planLoop(Operation *loop) {
  Loop planned;
  beginCarries(loop, planned);
  {
    llvm::SaveAndRestore outer(masks);
    llvm::SaveAndRestore outerFold(fold);
    fold = dyn_cast<tile::FoldOp>(loop);
    if (fold)
      masks = planned.masks = hasBoth(plan.flow, fold.getBlocks());
    planned.groups = planRegion(Dataflow::body(loop), loop);
    endCarries(loop, planned);
  }
  plan.loops[loop] = std::move(planned);
}

/// Whether a loop takes a carry of the loop around it and hands its own result back as the next
/// one.
static bool isHandedOn(const Dataflow &flow, Operation *loop, Value from, Value result) {
  Operation *around = loop->getParentOp();
  if (!isLoop(around))
    return false;
  Carries carries = carriesOf(around);
  for (auto [argument, yield] : llvm::zip(carries.arguments, carries.yields))
    if (argument == from)
      return flow.resolve(yield) == result;
  return false;
}

/// Carries get memory that lasts as long as the loop. A loop that goes on from another's results,
/// or with a carry of the loop around it, takes that one's.
void Planner::beginCarries(Operation *loop, Loop &planned) {
  Carries carries = carriesOf(loop);
  for (auto [init, argument, result] :
       llvm::zip(carries.init, carries.arguments, carries.results)) {
    if (!tileType(argument))
      continue;
    Value from = plan.flow.resolve(init);
    Operation *before = from.getDefiningOp();
    bool follows = before && isLoop(before) && before->getBlock() == loop->getBlock();
    bool goesOn = (follows || isHandedOn(plan.flow, loop, from, result)) &&
                  plan.flow.readers(from) == ArrayRef<Operation *>(loop) &&
                  llvm::count(carries.init, init) == 1;
    int place = goesOn ? plan.placeFor(from) : addTile(argument);
    planned.carries.push_back({init, argument, result, place, goesOn});
    plan.placeOf[argument] = plan.placeOf[result] = place;
  }
}

/// What a step yields becomes the carry, unless it was written there.
void Planner::endCarries(Operation *loop, Loop &planned) {
  Carries carries = carriesOf(loop);
  bool exchanges = false;
  for (auto [argument, yield] : llvm::zip(carries.arguments, carries.yields)) {
    Value value = plan.flow.resolve(yield);
    int to = plan.placeFor(argument);
    if (!tileType(argument) || value == argument || plan.placeFor(value) == to)
      continue;
    exchanges |= llvm::is_contained(carries.arguments, value);
    planned.copies.push_back({value, to});
  }
  if (exchanges)
    for (const Copy &copy : planned.copies)
      planned.aside.push_back(addTile(copy.value));
}

} // namespace sparsec::cpu
