// Makes a Plan: goes through a kernel once, in the order that its code will have.
//
// What is decided of a tile depends on what is known of places by then: a carry's, an operand's.
#pragma once

#include "codegen/cpu/plan/Plan.h"

namespace sparsec::cpu {

class Planner {
public:
  explicit Planner(Plan &plan) : plan(plan), loopPlan(plan.flow, plan.dims) {}
  void run();

private:
  using Operation = mlir::Operation;
  using Value = mlir::Value;

  // Planner.cpp: regions, loops, serial operations.
  void chooseKinds(llvm::ArrayRef<Operation *> ops);
  std::vector<Group> planRegion(llvm::ArrayRef<Operation *> ops, Operation *loop);
  void planSerial(Operation *op);
  void planLoop(Operation *loop);
  void beginCarries(Operation *loop, Loop &planned);
  void endCarries(Operation *loop, Loop &planned);
  int add(const Place &place);
  int addTile(Value value, Form form = Form::Panels);
  void placeOperand(Operation *op, Value operand);

  // Slices.cpp
  bool isSliced(Value value, int laneClass) const;
  bool fallsIntoSlices(llvm::ArrayRef<Operation *> ops, int laneClass) const;
  Slices findSlices(llvm::ArrayRef<Operation *> ops) const;

  // Groups.cpp: the places that a group computes into, and takes from.
  void planGroup(Group &group, Operation *loop);
  void placeResults(Group &group, Operation *loop);
  int takeOver(Value result, llvm::SmallVectorImpl<Value> &local, Group &group,
               llvm::function_ref<bool(Operation *, Operation *)> isBefore);
  bool inPlace(Value result, const Group &group, Operation *loop);
  void placeOperands(tile::DotOp dot, Group &group);
  void planRegisters(Product &product, const PanelShape &shape) const;
  void findVectors(Group &group) const;
  void findPerRow(Group &group) const;
  void planStore(tile::StoreOp store);

  // Loads.cpp
  void planLoad(tile::LoadOp load);
  void planVector(tile::LoadOp load, Load &planned);
  bool readByRows(tile::LoadOp load) const;
  bool readDownColumns(tile::LoadOp load) const;
  bool readInPanels(tile::LoadOp load) const;
  bool readByLanes(tile::LoadOp load) const;
  static bool writtenMeanwhile(tile::LoadOp load);
  bool isNextBlockAsFar(tile::LoadOp load);
  void placeOwnForms(tile::LoadOp load, Load &planned);
  const OperandForm *ownForm(Operation *reader, Value value) const;
  bool readInOwnForm(Value value) const;
  bool readOnlyInOwnForms(Value value) const;

  // Masks.cpp
  void findUnmasked(std::vector<Sweep> &sweeps) const;
  bool isComputable(Value value, const Group &group) const;
  tile::MaskOp maskOfRows(const Group &group) const;
  bool misses(Operation *op, tile::MaskOp mask, int rows) const;

  Plan &plan;
  LoopPlan loopPlan;
  bool masks = false; ///< Loop::masks of the innermost fold
  tile::FoldOp fold;  ///< the innermost loop, if it is a fold
};

} // namespace sparsec::cpu
