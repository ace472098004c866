// All that is decided of a kernel before its code is written.
//
//   tile.kernel -> Dataflow, Dimensions -> LoopPlan -> Planner -> Plan -> KernelEmitter (emit/)
//
// The step of attention forward in f32, as a plan prints itself (sparsec explain causal --target
// cpu-avx512 --after=plan; whole: tests/codegen/cpu-plans/forward.f32.avx512.txt):
//
//   for each block of %8, of some with masks
//     carries %arg4 from %cst_3 in p4: 128 f32
//     load %fetch.20 of %k, in place
//       p7: pointers to rows of f32
//     load %fetch.21 of %v, as rows
//       p8: 128 rows of 64 f32 in columns of 16
//     panels of 64 of 128 lanes, without the rows that %27 leaves empty
//       p11: 128 rows of 128 f32 in one panel of 64
//       product %lead.19 = f32 of p3 across lanes and p7, 6 rows at once -> p11
//         in full blocks %28 reduce max
//       rows
//         %27 mask -> p11
//         %28 reduce max
//       vectors
//         %29 maximumf -> p4
//       rows
//         %34 exp2 -> p11
//         %37 reduce sum
//       product %41 = f32 of p11 across lanes and p8, 6 rows at once -> p6
//
// A place is some memory by its number (Place.h); a value without one lives in registers. Places
// are shared: what a loop's step computes of a carry takes the carry's where nobody reads the old
// one after it, and a tile takes over the panel of one whose readers are done. Code is written in
// the order of the plan, and nothing is decided while it is written but what it says of itself:
// addresses, and which of two ways a branch takes.
#pragma once

#include "codegen/cpu/plan/Exponents.h"
#include "codegen/cpu/plan/ProductKind.h"

#include <memory>

namespace sparsec::cpu {

constexpr int kNowhere = -1; ///< no place

/// A row of blocks in slices of some lanes (Slices.cpp).
struct Slices {
  int laneClass = Group::kSerial; ///< kSerial: not in slices
  int64_t lanes = 0;              ///< in all
  int count = 1;
};

/// How a product is computed.
struct Product {
  const ProductKind *kind;
  DotOperands operands;
  int lanes = kNowhere, broadcast = kNowhere; ///< where its operands lie
  int64_t rows = 0; ///< of the result in a register tile; 0: not in registers
};

/// A loaded tile.
struct Load {
  enum Way : uint8_t {
    Vector,     ///< of rank 1, row by row
    SideBySide, ///< of rank 1, as it lies in memory
    Elements,   ///< one by one: columns in an order of their own, and odd widths
    InPlace,    ///< read from memory
    AsRows,     ///< copied row by row, into any form whose lanes are memory's columns
    Transposed, ///< memory's rows become lanes
    Packed,     ///< only as operands in their own forms
  } way = Vector;
  int place = kNowhere;
  struct Operand {
    const OperandForm *form;
    int place;
  };
  llvm::SmallVector<Operand, 2> operands; ///< in forms of products' own
  bool nextBlock = false; ///< the rows of the fold's next block are as far as one block's
  bool evenRows = false;  ///< its rows are equally far from each other
  bool nextItem = false;  ///< and those of the next work item follow them
};

/// A stored tile.
struct Store {
  bool sideBySide = false; ///< of rank 1, as it lies in memory
  bool streams = false;    ///< may pass the caches, which is seen when it runs
};

/// What goes round in a loop, of tiles; scalars are in registers.
struct Carry {
  mlir::Value init, argument, result;
  int place;
  bool goesOn = false; ///< it is there: left by another loop, or of the loop around
};

struct Loop {
  std::vector<Carry> carries;
  bool masks = false; ///< over all blocks of a row: of some, masks keep everything
  std::vector<Group> groups;
  std::vector<Copy> copies; ///< what is carried on and is not there yet
  /// The places that these are copied to first, since some are carries themselves.
  std::vector<int> aside;
};

struct Plan {
  Plan(tile::KernelOp kernel, const Level &level);
  Plan(const Plan &) = delete;

  tile::KernelOp kernel;
  const Level level;
  Dataflow flow;
  Dimensions dims;
  Panels panels;
  Slices slices;
  std::vector<Place> places;
  llvm::DenseMap<mlir::Value, int> placeOf;
  /// Where computed tiles lie in the form of a product's operand.
  llvm::DenseMap<mlir::Value, Load::Operand> packed;
  /// Powers of 2 whose exponents, a difference, are proved at most 0 (Exponents.h).
  llvm::DenseMap<mlir::Operation *, mlir::arith::SubFOp> decays;
  /// Where operands of serial operations are put that lie nowhere.
  llvm::DenseMap<mlir::Operation *, int> copied;
  std::vector<Group> body;
  llvm::DenseMap<mlir::Operation *, Loop> loops;
  llvm::DenseMap<mlir::Operation *, Product> products;
  llvm::DenseMap<mlir::Operation *, Load> loads;
  llvm::DenseMap<mlir::Operation *, Store> stores;

  /// The place of a value, or kNowhere.
  int placeFor(mlir::Value value) const;
  /// Whether some product is of a kind.
  bool has(const ProductKind &kind) const;
};

std::unique_ptr<const Plan> makePlan(tile::KernelOp kernel, const Level &level);
/// The text above.
std::string print(const Plan &plan);

/// Whether rows are natural and of one head: their positions follow one by one.
bool followEachOther(const Dataflow &flow, mlir::Value rows);

} // namespace sparsec::cpu
