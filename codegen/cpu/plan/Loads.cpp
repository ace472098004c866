// How a loaded tile comes from memory, by how it is read.
#include "codegen/cpu/plan/Planner.h"

using namespace mlir;

namespace sparsec::cpu {

//===-- Readers -------------------------------------------------------------------------------===//

/// Whether every reader takes a load's elements from memory's rows, element by element along them
/// (in place) or in vectors.
bool Planner::readByRows(tile::LoadOp load) const {
  return llvm::all_of(plan.flow.readers(load.getResult()), [&](Operation *reader) {
    auto dot = dyn_cast<tile::DotOp>(reader);
    if (!dot || llvm::any_of(loopPlan.reads(dot), [&](const Read &read) { // its sums start from it
          return read.value == load.getResult() && read.access == Access::Cell;
        }))
      return false;
    return plan.flow.resolve(dotOperands(dot, plan.dims).lanes) != load.getResult();
  });
}

/// Whether a product takes a load's rows across its lanes: each register tile reads a panel of
/// them, row after row, which in memory are far apart.
bool Planner::readInPanels(tile::LoadOp load) const {
  return llvm::any_of(plan.flow.readers(load.getResult()), [&](Operation *reader) {
    auto dot = dyn_cast<tile::DotOp>(reader);
    if (!dot)
      return false;
    DotOperands operands = dotOperands(dot, plan.dims);
    return plan.flow.resolve(operands.lanes) == load.getResult() && operands.lanesDim == 1;
  });
}

/// Whether every reader takes a load's rows lane by lane.
bool Planner::readByLanes(tile::LoadOp load) const {
  return plan.dims.laneDim(load.getResult()) == 1 &&
         llvm::all_of(plan.flow.readers(load.getResult()), [&](Operation *reader) {
           return isElementwise(reader) ||
                  isa<tile::ReduceOp, tile::StoreOp, tile::AccumulateOp>(reader);
         });
}

/// Whether its place in memory may be written before the last reader has read it.
bool Planner::writtenMeanwhile(tile::LoadOp load) {
  return llvm::any_of(load.getView().getUsers(),
                      [](Operation *user) { return isa<tile::StoreOp, tile::AccumulateOp>(user); });
}

/// Whether products sum along memory's columns, and nothing else reads the load.
bool Planner::readDownColumns(tile::LoadOp load) const {
  return llvm::all_of(plan.flow.readers(load.getResult()), [&](Operation *reader) {
    auto dot = dyn_cast<tile::DotOp>(reader);
    if (!dot)
      return false;
    DotOperands operands = dotOperands(dot, plan.dims);
    return plan.flow.resolve(operands.broadcast) == load.getResult() && operands.rowDim == 1 &&
           plan.flow.resolve(operands.lanes) != load.getResult();
  });
}

//===-- Forms of products' own ----------------------------------------------------------------===//

/// The form in which a product takes a tile; null where the reader is no product, or takes it as it
/// lies.
const OperandForm *Planner::ownForm(Operation *reader, Value value) const {
  auto found = plan.products.find(reader);
  if (found == plan.products.end() || !found->second.kind->formOf)
    return nullptr;
  AskedProduct asked(plan.flow, plan.dims, cast<tile::DotOp>(reader));
  if (asked.lanes == value)
    return found->second.kind->formOf(asked, Side::Lanes);
  return asked.broadcast == value ? found->second.kind->formOf(asked, Side::Broadcast) : nullptr;
}

bool Planner::readInOwnForm(Value value) const {
  return llvm::any_of(plan.flow.readers(value),
                      [&](Operation *reader) { return ownForm(reader, value); });
}

bool Planner::readOnlyInOwnForms(Value value) const {
  return llvm::all_of(plan.flow.readers(value), [&](Operation *reader) {
    // What a product starts from it takes as f32.
    return ownForm(reader, value) && llvm::none_of(loopPlan.reads(reader), [&](const Read &read) {
             return read.value == value && read.access == Access::Cell;
           });
  });
}

void Planner::placeOwnForms(tile::LoadOp load, Load &planned) {
  Value result = load.getResult();
  for (Operation *reader : plan.flow.readers(result)) {
    const OperandForm *form = ownForm(reader, result);
    if (form && llvm::none_of(planned.operands, [&](auto &each) { return each.form == form; }))
      planned.operands.push_back(
          {form, add(form->place(plan.panels, load.getType(), plan.dims.laneDim(result)))});
  }
}

//===-- Loads ---------------------------------------------------------------------------------===//

/// Whether the rows of the fold's next block are as far from these as one block from the next.
bool Planner::isNextBlockAsFar(tile::LoadOp load) {
  auto rows = plan.flow.resolve(load.getRows()).getDefiningOp<tile::RowsOp>();
  return plan.level.asksAhead && rows && fold &&
         rows.getRows().getType().getOrder() == tile::OrderKind::Natural &&
         plan.flow.resolve(rows.getTile()) == fold.getBlockIndex() &&
         size_t(load.getView().getType().getStrides()) != load.getIndices().size();
}

void Planner::planVector(tile::LoadOp load, Load &planned) {
  tile::ViewType view = load.getView().getType();
  bool together = followEachOther(plan.flow, load.getRows()) &&
                  size_t(view.getStrides()) == load.getIndices().size() &&
                  isa<FloatType>(view.getElementType());
  planned.way = together ? Load::SideBySide : Load::Vector;
  planned.place = addTile(load.getResult());
}

void Planner::planLoad(tile::LoadOp load) {
  constexpr int64_t kMostBytes = 4096; // of a row: there are as many zeros
  RankedTensorType type = load.getType();
  Value result = load.getResult();
  Load &planned = plan.loads[load];
  auto into = [&](Load::Way way, const Place &place) {
    planned.way = way;
    plan.placeOf[result] = planned.place = add(place);
  };
  if (type.getRank() == 1) {
    planVector(load, planned);
    plan.placeOf[result] = planned.place;
    return;
  }
  bool asMemory = !load.getColumns() || followEachOther(plan.flow, load.getColumns());
  if (!asMemory || type.getDimSize(1) % plan.panels.shape(type.getDimSize(0)).vector ||
      type.getDimSize(1) * 4 > kMostBytes) {
    into(Load::Elements, placeInPanels(plan.panels, type, plan.dims.laneDim(result)));
    return;
  }
  bool byRows = readByRows(load), downColumns = readDownColumns(load);
  bool inPlace = (byRows && type.getElementType().isF32() && !downColumns) || readByLanes(load);
  planned.nextBlock = byRows && isNextBlockAsFar(load);
  if (inPlace && !writtenMeanwhile(load)) {
    planned.nextBlock = isNextBlockAsFar(load);
    Place place = placeInPanels(plan.panels, type, /*laneDim=*/1, Form::Pointers);
    place.element = load.getView().getType().getElementType();
    auto rows = plan.flow.resolve(load.getRows()).getDefiningOp<tile::RowsOp>();
    planned.evenRows = load.getColumns() && rows && followEachOther(plan.flow, rows.getRows());
    planned.nextItem =
        planned.evenRows && plan.flow.resolve(rows.getTile()).getDefiningOp<tile::WorkOp>();
    into(Load::InPlace, place);
    return;
  }
  placeOwnForms(load, planned);
  if (!planned.operands.empty() && readOnlyInOwnForms(result)) {
    planned.way = Load::Packed;
    return;
  }
  bool inPanels = readInPanels(load);
  bool alongRows = byRows || inPanels || plan.dims.laneDim(result) == 1;
  Place place = placeInPanels(plan.panels, type, alongRows ? 1 : 0,
                              alongRows && !inPanels ? Form::Rows : Form::Panels);
  if (downColumns) {
    // Columns side by side in one cache line, row under row: a register tile that goes down a few
    // of them leaves the lines it took in the first-level cache to the tiles that go down their
    // neighbours. In memory's rows the next line is a whole row away, and all of them in a few
    // sets.
    constexpr int kLine = 16; // f32 of a cache line; columns are a multiple (CheckProgram.cpp)
    place = placeInPanels(plan.panels, type, /*laneDim=*/1, Form::Columns);
    place.shape = {type.getDimSize(1), kLine, std::min(plan.panels.vector, kLine)};
  }
  into(alongRows ? Load::AsRows : Load::Transposed, place);
}

} // namespace sparsec::cpu
