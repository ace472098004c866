// warp-to-llvm, token orders: from the number of a tile to the positions of its rows, as
// layout/OrderNumbers.h describes it.
#include "codegen/ptx/Lowering.h"

#include "codegen/Orders.h"

using namespace mlir;

namespace sparsec {
namespace {

using namespace order_numbers;
using tile::OrderKind;

/// A tile of a lattice.
class LatticeTile {
public:
  LatticeTile(ThreadEmitter &emit, OrderKind kind, Value numbers, Value tile, int64_t rows)
      : emit(emit), kind(kind), lattice(numbers) {
    int64_t tables = 4 * kLattice;
    table = emit.advance(numbers, tables);
    if (kind == OrderKind::Tails) {
      Value second = emit.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::sge, tile,
                                               emit.number(numbers, kLattice + kFirstTile));
      auto either = [&](int64_t bytes) {
        return emit.select(second, emit.i64(bytes), emit.i64(0));
      };
      lattice = emit.advance(numbers, either(tables));
      table = emit.advance(emit.advance(numbers, 2 * tables), either(8 * rows));
      tile = emit.subtract(tile, number(kFirstTile));
    }
    takeApart(tile);
  }

  Value first, counts, table;
  Value some; ///< whether the tile has any row

private:
  ThreadEmitter &emit;
  OrderKind kind;
  Value lattice;

  /// Numbers of one of two lattices depend on the tile: they are read for each.
  Value number(int index) { return emit.number(lattice, index, kind != OrderKind::Tails); }

  void takeApart(Value tile) {
    std::array<Value, 3> from, inBox; // null: 0
    std::span<const Digit> digits = digitsOf(shapeOf(kind));
    Value rest = tile;
    for (size_t i = digits.size(); i-- > 0;) {
      auto [at, part] = digits[i];
      Value digit = rest;
      if (i > 0)
        std::tie(rest, digit) = emit.divideBy(rest, lattice, axis(at) + (part ? kParts : kBoxes),
                                              kind != OrderKind::Tails);
      Value step = emit.multiply(digit, number(axis(at) + (part ? kCut : kBox)));
      if (part)
        inBox[at] = step;
      from[at] = from[at] ? emit.add(from[at], step) : step;
    }
    first = number(kBase);
    counts = emit.i32(0);
    Value fewest;
    for (int at = 0; at < 3; ++at) {
      if (!from[at])
        continue;
      first = emit.add(first, emit.multiply(from[at], number(axis(at) + kPitch)));
      Value count =
          emit.least(number(axis(at) + kCut), emit.subtract(number(axis(at) + kExtent), from[at]));
      bool boxesAndParts = llvm::count_if(digits, [&](Digit d) { return d.axis == at; }) == 2;
      if (boxesAndParts)
        count = emit.least(count, emit.subtract(number(axis(at) + kBox), inBox[at]));
      fewest = fewest ? emit.least(fewest, count) : count;
      counts = emit.add(counts, emit.shiftLeft(emit.add(count, -1), 8 * (2 - at)));
    }
    some = emit.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::sgt, fewest, emit.i32(0));
  }
};

struct RowsPattern : OpConversionPattern<tile::RowsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::RowsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    ThreadEmitter emit(op, rewriter);
    tile::RowsType type = op.getRows().getType();
    SmallVector<Value> fields;
    switch (type.getOrder()) {
    case OrderKind::Natural:
      fields = {emit.multiply(adaptor.getTile(), type.getSize()), adaptor.getLength()};
      break;
    case OrderKind::Table: {
      Value place = emit.wide(emit.multiply(adaptor.getTile(), type.getSize()));
      fields = {emit.i32(0), adaptor.getLength(), emit.i32(0),
                emit.advance(adaptor.getNumbers(), emit.multiply(place, 4))};
      break;
    }
    default: {
      LatticeTile tile(emit, type.getOrder(), adaptor.getNumbers(), adaptor.getTile(),
                       type.getSize());
      // Of a tile without rows none is below the length.
      Value length = emit.select(tile.some, adaptor.getLength(), emit.i32(0));
      fields = {tile.first, length, tile.counts, tile.table};
    }
    }
    Value rows = emit.create<LLVM::PoisonOp>(getTypeConverter()->convertType(type));
    for (auto [i, field] : llvm::enumerate(fields))
      rows = emit.create<LLVM::InsertValueOp>(rows, field, ArrayRef<int64_t>{int64_t(i)});
    rewriter.replaceOp(op, rows);
    return success();
  }
};

struct PositionsPattern : OpConversionPattern<tile::PositionsOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::PositionsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getType());
    auto slice = dyn_cast_or_null<warp::SliceAttr>(type.getEncoding());
    if (!slice)
      return rewriter.notifyMatchFailure(op, "expected a slice");
    ThreadEmitter emit(op, rewriter);
    bool byRow = slice.getAxis() == warp::Axis::Rows;
    fragments::Fragment held = byRow ? fragments::rows() : fragments::columns(type.getDimSize(0));
    Value mine =
        byRow ? emit.add(emit.laneRow(held.lane), emit.warpRow()) : emit.laneColumn(held.lane);
    RowPositions rows(emit, op.getRows().getType(), adaptor.getRows());
    SmallVector<Value> values;
    for (fragments::Coordinate place : held.registers)
      values.push_back(rows.position(mine, byRow ? place.row : place.column));
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }
};

} // namespace

RowPositions::Row RowPositions::at(Value row, int64_t constant) {
  Value first = emit.field(rows, 0), length = emit.field(rows, 1);
  if (isNatural()) {
    Value position = emit.add(emit.add(first, row), constant);
    return {position, emit.below(position, length)};
  }
  Value table = emit.field(rows, 3);
  // Not invariant: kept in registers for the whole loop they would be many.
  if (type.getOrder() == OrderKind::Table) {
    Value entry = emit.advance(table, emit.multiply(emit.wide(row), 4));
    Value position = emit.number(entry, constant, /*invariant=*/false);
    return {position, emit.below(position, length)};
  }
  Value entry = emit.advance(emit.advance(table, emit.multiply(emit.wide(row), 8)), 8 * constant);
  Value pair = emit.create<LLVM::LoadOp>(VectorType::get({2}, emit.getI32Type()), entry, 8);
  Value position = emit.add(first, emit.element(pair, 0));
  // Three digits at once: the upper bit of each byte stays where the digit is at most its count
  // less one.
  constexpr int64_t kUpper = 0x808080;
  Value counts = emit.create<LLVM::OrOp>(emit.field(rows, 2), emit.i32(kUpper));
  Value left = emit.bitAnd(emit.subtract(counts, emit.element(pair, 1)), kUpper);
  Value inside = emit.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq, left, emit.i32(kUpper));
  return {position, emit.create<LLVM::AndOp>(inside, emit.below(position, length))};
}

Value RowPositions::position(Value row, int64_t constant) {
  Row here = at(row, constant);
  bool lattice = !isNatural() && type.getOrder() != OrderKind::Table;
  return lattice ? emit.select(here.exists, here.position, emit.i32(kNoPosition)) : here.position;
}

void populateRowPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<RowsPattern, PositionsPattern>(types, patterns.getContext());
}

} // namespace sparsec
