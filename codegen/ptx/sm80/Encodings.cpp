#include "codegen/ptx/sm80/Encodings.h"

#include "codegen/common/Carries.h"
#include "codegen/ptx/Fragments.h"

#include "llvm/ADT/DenseSet.h"

#include <numeric>

using namespace mlir;

namespace sparsec::sm80 {
namespace {

RankedTensorType tileType(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2 ? type : RankedTensorType();
}

/// Whether a fold loads the operand of its product for each block.
bool isFetched(Value operand) {
  auto argument = dyn_cast<BlockArgument>(operand);
  auto fold = argument ? dyn_cast<tile::FoldOp>(argument.getOwner()->getParentOp()) : nullptr;
  if (!fold || argument.getArgNumber() >= fold.fetchYield().getNumOperands())
    return false;
  Value given = fold.fetchYield().getOperand(argument.getArgNumber());
  return argument.getOwner() != &fold.getFetch().front() &&
         isa_and_nonnull<tile::LoadOp>(given.getDefiningOp());
}

/// What the tiles of a kernel in registers are like.
struct Tiles {
  bool multiplied = false;
  bool halves = true;  ///< operands of products have 16 bits
  bool fetched = true; ///< all left operands have 16 bits and are fetched with the right ones
  bool apart = true;   ///< no value is one of a whole row, a column or the tile
  int64_t rows = 0;
  int64_t columns = 0;    ///< greatest common divisor
  int64_t widest = 1;     ///< columns
  int64_t bytes = 4;      ///< of the smallest element in memory, at least 2
  int64_t vectorRows = 0; ///< of vectors that are stored or summed up, for kernels without tiles

  LogicalResult take(Operation *op, RankedTensorType type) {
    if (rows && rows != type.getDimSize(0))
      return op->emitOpError() << "expected " << rows << " rows as before, found "
                               << type.getDimSize(0);
    rows = type.getDimSize(0);
    columns = std::gcd(columns, type.getDimSize(1));
    widest = std::max(widest, type.getDimSize(1));
    return success();
  }

  void access(Type element) {
    bytes = std::clamp<int64_t>(element.getIntOrFloatBitWidth() / 8, 2, bytes);
  }

  LogicalResult visit(Operation *op) {
    Value made;
    if (auto store = dyn_cast<tile::StoreOp>(op)) {
      made = store.getValue();
      apart &= bool(tileType(made));
      access(store.getView().getType().getElementType());
    } else if (auto dot = dyn_cast<tile::DotOp>(op)) {
      multiplied = true;
      halves &= !cast<RankedTensorType>(dot.getRhs().getType()).getElementType().isF32();
      fetched &= isFetched(dot.getLhs()) &&
                 !cast<RankedTensorType>(dot.getLhs().getType()).getElementType().isF32();
      made = dot.getResult();
    } else if (auto load = dyn_cast<tile::LoadOp>(op)) {
      if (tileType(load.getResult()))
        access(load.getView().getType().getElementType());
    } else if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
      made = reduce.getInput();
      apart = false;
    }
    if (!made)
      return success();
    if (RankedTensorType type = tileType(made))
      return take(op, type);
    vectorRows = cast<RankedTensorType>(made.getType()).getDimSize(0);
    return success();
  }
};

/// As many lanes along a row as its columns allow, and warps so that a thread holds a few accesses
/// of each tile. Vectors alone have one element of a row in as few lanes as their size allows.
FailureOr<warp::StripedAttr> stripes(tile::KernelOp kernel, const Tiles &tiles) {
  constexpr int64_t kMostWarps = 16, kElements = 16;
  int64_t vector = tiles.columns ? std::gcd(16 / tiles.bytes, tiles.columns) : 1;
  int64_t runs = tiles.columns ? tiles.columns / vector : 1;
  int64_t across = std::min<int64_t>(32, runs & -runs);
  if (!tiles.columns)
    across = std::max<int64_t>(1, 32 / (tiles.rows & -tiles.rows));
  int64_t down = 32 / across;
  if (tiles.rows % down)
    return kernel.emitOpError() << "expected a multiple of " << down << " rows in tiles of "
                                << tiles.columns << " columns, found " << tiles.rows;
  int64_t warps = 1;
  while (2 * warps <= kMostWarps && tiles.rows % (2 * warps * down) == 0 &&
         tiles.rows * tiles.widest > 32 * warps * kElements)
    warps *= 2;
  return warp::StripedAttr::get(kernel.getContext(), int(warps), int(across), int(vector));
}

/// Rows and columns of a warp that has part of a tile in both directions.
struct Part {
  int64_t rows, columns;
  /// As large as a thread has registers for the sums, square before tall before wide, in at least
  /// four warps so that each scheduler of a multiprocessor has one.
  static Part of(int64_t rows, int64_t columns) {
    static constexpr int64_t kMost = 64, kFewestWarps = 4;
    auto fitting = [](int64_t size) { return std::min(kMost, size & -size); };
    Part part{fitting(rows), fitting(columns)};
    while (rows / part.rows * (columns / part.columns) < kFewestWarps &&
           std::max(part.rows, part.columns) > fragments::kMmaRows)
      (part.rows >= part.columns ? part.rows : part.columns) /= 2;
    return part;
  }
};

/// 32-bit registers that a thread would need for what a kernel's folds hold at once, with 32 rows a
/// warp: sums, scores and vectors.
constexpr int64_t kMostOfTall = 140;
int64_t registersOfTall(tile::KernelOp kernel, const Tiles &tiles) {
  constexpr int64_t kRows = 2 * fragments::kMmaRows;
  auto held = [&](Value value) -> int64_t {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return 0;
    if (type.getRank() == 2)
      return kRows * type.getDimSize(1) / 32;
    return type.getDimSize(0) == tiles.rows ? kRows / 8 : type.getDimSize(0) / 4;
  };
  int64_t most = 0;
  kernel.walk([&](tile::FoldOp fold) {
    int64_t registers = 0;
    for (ValueRange values :
         {ValueRange(fold.getInit()), ValueRange(fold.leadYield().getOperands())})
      for (Value value : values)
        registers += held(value);
    for (Value value : fold.fetchYield().getOperands())
      if (auto type = dyn_cast<RankedTensorType>(value.getType()); type && type.getRank() == 1)
        registers += held(value);
    most = std::max(most, registers);
  });
  return most;
}

/// A maximum and a sum of rows in a fold, as attention's forward has, hold both halves of a warp's
/// 32 rows at once: such kernels spill (ptxas).
bool reducesInAFold(tile::KernelOp kernel) {
  return kernel
      .walk([&](tile::ReduceOp reduce) {
        return reduce->getParentOfType<tile::FoldOp>() ? WalkResult::interrupt()
                                                       : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The axis that a vector was reduced to, however it went on from there.
std::optional<warp::Axis> reducedTo(Value vector, DenseSet<Value> &seen) {
  if (!isa<RankedTensorType>(vector.getType()) || !seen.insert(vector).second)
    return {};
  SmallVector<Value> from;
  if (auto argument = dyn_cast<BlockArgument>(vector)) {
    Operation *loop = argument.getOwner()->getParentOp();
    if (isLoop(loop)) {
      Carries carries = carriesOf(loop);
      auto *found = llvm::find(carries.arguments, vector);
      if (found != carries.arguments.end())
        from = {carries.yields[found - carries.arguments.begin()]};
      else if (auto fold = dyn_cast<tile::FoldOp>(loop))
        if (unsigned number = argument.getArgNumber(), fetched = fold.fetchYield().getNumOperands();
            number >= fetched && argument.getOwner() == &fold.getStep().front())
          from = {fold.leadYield().getOperand(number - fetched)};
    }
  } else if (Operation *op = vector.getDefiningOp(); isLoop(op)) {
    Carries carries = carriesOf(op);
    unsigned number = cast<OpResult>(vector).getResultNumber();
    from = {carries.yields[number], carries.init[number]};
  } else if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
    return reduce.getDim() == 1 ? warp::Axis::Rows : warp::Axis::Columns;
  } else if (OpTrait::hasElementwiseMappableTraits(op)) {
    from.append(op->operand_begin(), op->operand_end());
  }
  for (Value value : from)
    if (std::optional<warp::Axis> axis = reducedTo(value, seen))
      return axis;
  return {};
}

} // namespace

warp::SliceAttr Encodings::ofVector(Value vector) const {
  DenseSet<Value> seen;
  warp::Axis bySize = cast<RankedTensorType>(vector.getType()).getDimSize(0) == tileRows
                          ? warp::Axis::Rows
                          : warp::Axis::Columns;
  return reducedTo(vector, seen).value_or(bySize) == warp::Axis::Rows ? rows : columns;
}

FailureOr<Encodings> chooseEncodings(tile::KernelOp kernel) {
  Tiles tiles;
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult { return tiles.visit(op); });
  if (result.wasInterrupted())
    return failure();
  MLIRContext *context = kernel.getContext();
  if (!tiles.rows)
    tiles.rows = tiles.vectorRows;
  Encodings as;
  as.tileRows = tiles.rows;
  if (tiles.rows && !tiles.multiplied) {
    FailureOr<warp::StripedAttr> striped = stripes(kernel, tiles);
    if (failed(striped))
      return failure();
    as.tile = *striped;
    as.warps = striped->getWarps();
  } else {
    bool square = tiles.fetched && tiles.apart && tiles.columns == tiles.widest;
    int64_t most = square ? 256 : 8 * fragments::kMmaRows;
    if (tiles.rows == 0 || tiles.rows % fragments::kMmaRows || tiles.rows > most)
      return kernel.emitOpError() << "expected tiles of 16 to " << most
                                  << " rows in steps of 16, found " << tiles.rows;
    Part part{fragments::kMmaRows, std::max<int64_t>(tiles.widest, 1)};
    if (square)
      part = Part::of(tiles.rows, tiles.widest);
    else if (tiles.halves && !reducesInAFold(kernel) && tiles.rows >= 64 && tiles.rows % 32 == 0 &&
             registersOfTall(kernel, tiles) <= kMostOfTall)
      part.rows = 2 * fragments::kMmaRows;
    int64_t across = tiles.widest / part.columns;
    as.warps = int(tiles.rows / part.rows * across);
    as.tile = warp::AccumulatorAttr::get(context, as.warps, int(part.rows), int(across));
  }
  int lhsRows = std::max(warp::rowsPerWarp(as.tile), fragments::kMmaRows);
  as.lhs = warp::LhsAttr::get(context, as.warps, lhsRows);
  as.rows = warp::SliceAttr::get(context, warp::Axis::Rows, as.tile);
  as.columns = warp::SliceAttr::get(context, warp::Axis::Columns, as.tile);
  return as;
}

} // namespace sparsec::sm80
