#include "codegen/cpu/products/PairForms.h"

#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec::cpu {

//===-- What is asked in a plan ---------------------------------------------------------------===//

/// A load whose rows lie as they are in memory.
static bool isWholeLoad(Value value) {
  auto load = value.getDefiningOp<tile::LoadOp>();
  if (!load || tileType(value).getDimSize(1) * 4 > 4096)
    return false;
  return !load.getColumns() ||
         cast<tile::RowsType>(load.getColumns().getType()).getOrder() == tile::OrderKind::Natural;
}

bool takesPairs(const AskedProduct &product, ArrayRef<Sweep> sweeps) {
  if (!tileType(product.lanes).getElementType().isBF16() || product.operands.sum % 16 ||
      product.lanes == product.broadcast || !isWholeLoad(product.broadcast))
    return false;
  if (isWholeLoad(product.lanes))
    return true;
  if (!product.lanes.getDefiningOp<arith::TruncFOp>() ||
      product.dims.laneDim(product.lanes) != product.operands.lanesDim)
    return false;
  return llvm::any_of(sweeps, [&](const Sweep &sweep) {
    return !sweep.dot && sweep.kind == Sweep::Rows &&
           llvm::is_contained(sweep.ops, product.lanes.getDefiningOp());
  });
}

bool sumsAlongRows(const DotOperands &operands, Side side) {
  return (side == Side::Lanes ? operands.lanesDim : operands.rowDim) == 0;
}

const OperandForm *pairsAcrossLanes(const AskedProduct &product, const PairForms &forms) {
  if (!product.lanes.getDefiningOp<tile::LoadOp>())
    return &forms.packed;
  return sumsAlongRows(product.operands, Side::Lanes) ? &forms.transposed : &forms.interleaved;
}

//===-- Places --------------------------------------------------------------------------------===//

/// `rows` rows of pairs of `lanes` lanes.
template <int64_t whole>
static Place placeOfPairs(const Panels &panels, Type element, int64_t rows, int64_t lanes,
                          int laneDim, Form form) {
  Place place;
  place.form = form;
  place.element = IntegerType::get(element.getContext(), 32);
  place.laneDim = laneDim;
  place.rows = llvm::alignTo(rows, whole);
  place.shape = panels.shape(lanes);
  place.filled = place.rows == rows ? 0 : rows;
  return place;
}

template <int64_t whole>
static Place transposedPlace(const Panels &panels, RankedTensorType tile, int) {
  return placeOfPairs<whole>(panels, tile.getElementType(), tile.getDimSize(1) / 2,
                             tile.getDimSize(0), /*laneDim=*/0, Form::Panels);
}
template <int64_t whole>
static Place interleavedPlace(const Panels &panels, RankedTensorType tile, int) {
  return placeOfPairs<whole>(panels, tile.getElementType(), tile.getDimSize(0) / 2,
                             tile.getDimSize(1), /*laneDim=*/1, Form::Rows);
}
template <int64_t whole>
static Place packedPlace(const Panels &panels, RankedTensorType tile, int laneDim) {
  return placeOfPairs<whole>(panels, tile.getElementType(), tile.getDimSize(1 - laneDim) / 2,
                             tile.getDimSize(laneDim), laneDim, Form::OnePanel);
}

//===-- Emission ------------------------------------------------------------------------------===//

/// Pairs of memory's rows are 32-bit numbers.
static void loadTransposed(KernelEmitter &emit, tile::LoadOp load, llvm::Value *pointers,
                           Storage &to) {
  View pairs = emit.views.of(load.getView());
  pairs.element = to.type, pairs.type = to.element;
  emit.loadTransposed(pairs, load.getType().getDimSize(1) / 2, to, pointers);
}

llvm::Value *rowPair(Code &code, llvm::Value *low, llvm::Value *high, int width) {
  llvm::Type *words = code.vectorOf(code.getInt32Ty(), width);
  auto half = [&](llvm::Value *row) {
    return code.CreateZExt(code.loadAs(code.vectorOf(code.getInt16Ty(), width), row, 1), words);
  };
  return code.CreateOr(half(low), code.CreateShl(half(high), llvm::ConstantInt::get(words, 16)));
}

/// Rows two by two: element (i, j) is rows 2 i and 2 i + 1 at column j.
static void loadInterleaved(KernelEmitter &emit, tile::LoadOp load, llvm::Value *pointers,
                            Storage &to) {
  Code &code = emit.code;
  int64_t columns = load.getType().getDimSize(1), width = to.shape.vector;
  code.loop(code.i64(0), code.i64(load.getType().getDimSize(0) / 2), 1, [&](llvm::Value *pair) {
    llvm::Value *entry = code.at(pointers, code.CreateMul(pair, code.i64(16)));
    llvm::Value *low = code.loadAs(code.getPtrTy(), entry, 8);
    llvm::Value *high = code.loadAs(code.getPtrTy(), code.at(entry, 8), 8);
    llvm::Value *into = emit.tiles.lanesPointer(to, code.i64(0), pair);
    for (int64_t column = 0; column < columns; column += width)
      code.storeTo(rowPair(code, code.at(low, column * 2), code.at(high, column * 2), int(width)),
                   code.at(into, column * 4));
  });
}

/// The rounding is the packing's.
static void pack(KernelEmitter &emit, Operation *op, MutableArrayRef<Cell> rows,
                 const Storage &to) {
  Code &code = emit.code;
  Value wide = cast<arith::TruncFOp>(op).getIn();
  LaneVectors first = emit.lanes(wide, rows[0]), second = emit.lanes(wide, rows[1]), packed;
  for (auto [a, b] : llvm::zip(first, second))
    packed.push_back(code.packPairs(a, b));
  Cell pair = rows[0];
  pair.row = code.CreateLShr(rows[0].row, code.i64(1));
  emit.tiles.storeLanes(to, pair, packed);
}

constexpr OperandEmission kTransposed = {.load = loadTransposed},
                          kInterleaved = {.load = loadInterleaved}, kPacked = {.pack = pack};

const PairForms kPairForms = {
    .transposed = {"pairs, transposed", transposedPlace<1>, 1, &kTransposed},
    .interleaved = {"pairs, interleaved", interleavedPlace<1>, 1, &kInterleaved},
    .packed = {"pairs, packed", packedPlace<1>, 2, &kPacked},
};
const PairForms kWholePairForms = {
    .transposed = {"pairs, transposed", transposedPlace<kWholePairs>, 1, &kTransposed},
    .interleaved = {"pairs, interleaved", interleavedPlace<kWholePairs>, 1, &kInterleaved},
    .packed = {"pairs, packed", packedPlace<kWholePairs>, 2, &kPacked},
};

} // namespace sparsec::cpu
