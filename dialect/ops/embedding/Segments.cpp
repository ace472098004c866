// The gradient of a table of many rows by tokens, which are sorted by blocks of 64 rows first, so
// that a block is a product with its own tokens alone. A counting sort, in which positions keep
// their order; the segment of a block begins on a multiple of 64 places:
//
//   tokens 70 3 130 65 3 (- is none)      block 0: 3 3   block 1: 70 65   block 2: 130
//   order  |1 4 . . ...|0 3 . . ...|2 . . . ...|          tiles of 64 places of one block each
//
// Spans of positions are counted apart (counts[span, block], seen as [tile of blocks, span,
// block]), so that a span knows where its tokens of a block go (starts[span, block]) when all are
// counted; a token's place in its span is the number of those before it that are of its block.
//
// Tiles are taken together in parts, on multiples of so many tiles: a block has its first part, and
// where one begins inside of a segment it is added up on its own and added to the block's in order.
#include "dialect/Ops.h"
#include "dialect/ops/embedding/SlabWriter.h"
#include "kernel/ops/Embedding.h"
#include "layout/OrderNumbers.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {
namespace {

constexpr int64_t kSize = EmbeddingSegments::kTile;
constexpr int64_t kSpan = EmbeddingSegments::kSpanTiles, kPart = EmbeddingSegments::kPartTiles;

class Segments : SlabWriter {
public:
  Segments(EmbeddingSegmentsOp op, OpBuilder &builder)
      : SlabWriter(op.getLoc(), builder, op.getColumns(), op.getSlab()), op(op),
        integers(b.tensor({kSize}, b.getI32Type())),
        square(b.tensor({kSize, kSize}, b.getI32Type())) {}

  void count();
  void total();
  void place();
  void sort();
  void parts();
  void sum();

private:
  // Integers.
  Value add(Value x, Value y) { return b.create<arith::AddIOp>(x, y); }
  Value multiply(Value x, int64_t y) { return b.create<arith::MulIOp>(x, b.i32(y)); }
  Value divide(Value x, int64_t y) { return SlabWriter::divide(x, b.i32(y)); }
  using SlabWriter::divide;
  Value least(Value x, Value y) { return b.create<arith::MinSIOp>(x, y); }
  Value both(Value x, Value y) { return b.create<arith::AndIOp>(x, y); }
  Value below(Value x, Value y) { return b.create<arith::CmpIOp>(arith::CmpIPredicate::slt, x, y); }
  Value same(Value x, Value y) { return b.create<arith::CmpIOp>(arith::CmpIPredicate::eq, x, y); }
  Value tilesOf(Value count) { return divide(add(count, b.i32(kSize - 1)), kSize); }
  Value all(RankedTensorType type, int32_t value) {
    return b.create<arith::ConstantOp>(DenseElementsAttr::get(type, value));
  }
  Value scaled(Value tile, int32_t by) {
    return b.create<arith::MulIOp>(tile, all(cast<RankedTensorType>(tile.getType()), by));
  }

  // Arguments and tiles.
  void addTables(ArrayRef<StringRef> names, int64_t strides) {
    for (StringRef name : names)
      addArgument(name, b.view(b.getI32Type(), strides));
  }
  void addVectors(ArrayRef<StringRef> names) { addTables(names, 0); }
  Value item() { return b.create<WorkOp>(WorkKind::Range, argument("items")).getResult(0); }
  Value whole() { return rowsOf(b.i32(0), b.i32(kSize), kSize); }
  Value byRow(Value vector) { return b.expand(vector, square); }
  Value byColumn(Value vector) { return b.acrossRows(vector, kSize); }
  Value sumOfRows(Value matrix) { return b.reduceRows(ReduceKind::Sum, matrix); }
  Value sumOfColumns(Value matrix) { return b.reduceColumns(ReduceKind::Sum, matrix); }
  Value number(StringRef view, Value index) {
    return b.create<ScalarOp>(b.getI32Type(), argument(view), index);
  }

  struct Tokens {
    Value positions, tokens, blocks;
  };
  Tokens tokensOf(Value sequence, Value tile);
  Value exist(const Tokens &of) { return below(of.positions, b.splat(argument("n"), {kSize})); }
  Value indicesOf(Value tileOfBlocks) {
    return b.positions(rowsOf(tileOfBlocks, b.i32(kNoPosition), kSize));
  }
  Value countsBefore(Value span, Value ofTile);
  struct Segment {
    Value first, end; ///< tiles
  };
  Segment segmentOf(Value block);
  void partsBody();

  EmbeddingSegmentsOp op;
  RankedTensorType integers, square;
};

/// Of 64 positions; those past the end have token 0. A token that is no row of the table may be of
/// a block, in which it has room and is not put.
Segments::Tokens Segments::tokensOf(Value sequence, Value tile) {
  Value rows = rowsOf(tile, argument("n"), kSize);
  Tokens t;
  t.positions = b.positions(rows);
  t.tokens = b.create<LoadOp>(integers, argument("tokens"), ValueRange{sequence}, rows, Value());
  t.blocks = b.create<arith::DivUIOp>(t.tokens, all(integers, kSize));
  return t;
}

/// Of a span and 64 blocks.
void Segments::count() {
  addArgument("tokens", b.view(op.getIndex(), 1));
  addTables({"counts"}, 2);
  addIntegers({"items", "block_tiles", "spans", "n"});
  write((op.getSymName() + "_count").str(), [&] {
    Value i = item(), span = divide(i, argument("block_tiles"));
    Value sequence = divide(span, argument("spans"));
    Value ofTile = remainder(i, argument("block_tiles"));
    Value low = multiply(remainder(span, argument("spans")), kSpan);
    Value high = least(add(low, b.i32(kSpan)), tilesOf(argument("n")));
    Value ofRow = byRow(indicesOf(ofTile));
    Value counts = loop(low, high, all(integers, 0), [&](Value at, Value sum) {
      Tokens tokens = tokensOf(sequence, at);
      Value blocks = b.select(exist(tokens), tokens.blocks, all(integers, -1));
      Value found = same(ofRow, byColumn(blocks));
      return add(sum, sumOfRows(b.select(found, all(square, 1), all(square, 0))));
    });
    b.store(counts, argument("counts"), {ofTile, span}, whole());
  });
}

/// How many tokens of each of 64 blocks the spans before `span` have, by columns.
Value Segments::countsBefore(Value span, Value ofTile) {
  return loop(b.i32(0), tilesOf(span), all(integers, 0), [&](Value at, Value sum) {
    Value counts = b.load(argument("counts"), {ofTile}, rowsOf(at, span, kSize), kSize);
    return add(sum, sumOfColumns(counts));
  });
}

/// The tiles of 64 blocks' segments; and a tile of the order has nothing yet.
void Segments::total() {
  addTables({"counts"}, 2);
  addTables({"sizes", "order", "keys"}, 1);
  addIntegers({"items", "block_tiles", "all_spans"});
  write((op.getSymName() + "_total").str(), [&] {
    Value i = item(), some = below(i, argument("block_tiles")), none = b.i32(0);
    Value counts = countsBefore(b.select(some, argument("all_spans"), none), i);
    Value rounded = add(counts, all(integers, kSize - 1));
    Value tiles = b.create<arith::DivUIOp>(rounded, all(integers, kSize));
    b.store(tiles, argument("sizes"), {i},
            rowsOf(b.i32(0), b.select(some, b.i32(kSize), none), kSize));
    b.store(all(integers, kNoPosition), argument("order"), {i}, whole());
    b.store(all(integers, -1), argument("keys"), {i}, whole());
  });
}

/// Where a span's tokens of each of 64 blocks begin: after the segments of the blocks before it and
/// the block's tokens of the spans before this one. Sums of rows of
///
///   64 x tiles of the blocks in column j of all tiles before          for all j
///   64 x tiles of block j                                             for j < i
///   tokens of block j in spans before                                 for j = i
void Segments::place() {
  addTables({"counts", "starts"}, 2);
  addTables({"sizes"}, 1);
  addIntegers({"items", "block_tiles"});
  write((op.getSymName() + "_place").str(), [&] {
    Value i = item(), span = divide(i, argument("block_tiles"));
    Value ofTile = remainder(i, argument("block_tiles"));
    Value before = loop(b.i32(0), tilesOf(ofTile), all(integers, 0), [&](Value at, Value sum) {
      Value tiles = b.load(argument("sizes"), {}, rowsOf(at, ofTile, kSize), kSize);
      return add(sum, sumOfColumns(tiles));
    });
    Value own = byColumn(b.load(argument("sizes"), {ofTile}, whole()));
    Value earlier = byColumn(countsBefore(span, ofTile));
    Value index = b.positions(whole()), zero = all(square, 0);
    Value row = byRow(index), column = byColumn(index);
    Value parts = add(byColumn(scaled(before, kSize)),
                      b.select(below(column, row), scaled(own, kSize), zero));
    parts = add(parts, b.select(same(row, column), earlier, zero));
    b.store(sumOfRows(parts), argument("starts"), {ofTile, span}, whole());
  });
}

/// 64 positions to their places.
void Segments::sort() {
  addArgument("tokens", b.view(op.getIndex(), 1));
  addTables({"starts"}, 1);
  addVectors({"order", "keys"});
  addIntegers({"items", "tiles", "spans", "n", "classes", "sequence_rows"});
  write((op.getSymName() + "_sort").str(), [&] {
    Value i = item(), sequence = divide(i, argument("tiles"));
    Value at = remainder(i, argument("tiles")), span = divide(at, kSpan);
    Tokens mine = tokensOf(sequence, at);
    Value known = b.create<arith::CmpIOp>(arith::CmpIPredicate::ult, mine.tokens,
                                          b.splat(argument("classes"), {kSize}));
    known = both(known, exist(mine));
    Value block = byRow(mine.blocks), position = byRow(mine.positions);
    Value rank = loop(
        multiply(span, kSpan), add(at, b.i32(1)), all(integers, 0), [&](Value before, Value sum) {
          Tokens other = tokensOf(sequence, before);
          Value counts =
              both(same(block, byColumn(other.blocks)), below(byColumn(other.positions), position));
          return add(sum, sumOfRows(b.select(counts, all(square, 1), all(square, 0))));
        });
    Value none = all(integers, kNoPosition);
    Value ofSpan = add(b.create<arith::MulIOp>(sequence, argument("spans")), span);
    Value start =
        b.load(argument("starts"), {ofSpan}, b.rowsAt(b.select(known, mine.blocks, none)));
    Value places = b.rowsAt(b.select(known, add(start, rank), none));
    Value first = b.create<arith::MulIOp>(sequence, argument("sequence_rows"));
    b.store(add(mine.positions, b.splat(first, {kSize})), argument("order"), {}, places);
    b.store(mine.tokens, argument("keys"), {}, places);
  });
}

Segments::Segment Segments::segmentOf(Value block) {
  Value first = divide(number("starts", block), kSize); // where the first span's tokens begin
  return {first, add(first, number("sizes", block))};
}

/// The first part of a block's segment into the gradient, or one that begins inside of a segment
/// into the sums.
void Segments::parts() {
  addArgument("order", NumbersType::get(b.getContext()));
  addTables({"keys"}, 1);
  addVectors({"first_keys", "starts", "sizes"});
  addSlabs("dx", op.getDtype());
  addSlabs("gradient", b.getF32Type());
  addSlabs("sums", b.getF32Type());
  addIntegers({"items", "work", "blocks", "n", "nq", "prior_rows"});
  write((op.getSymName() + "_parts").str(), [&] { partsBody(); });
}

void Segments::partsBody() {
  Value i = item(), zero = b.i32(0), ofWork = remainder(i, argument("work"));
  enterSlab(divide(i, argument("work")));
  Value ofBlock = below(ofWork, argument("blocks"));
  Value part = b.select(ofBlock, zero, b.create<arith::SubIOp>(ofWork, argument("blocks")));
  Value begin = multiply(part, kPart);
  Value key = number("first_keys", multiply(begin, kSize)); // of its first place
  Value some = b.create<arith::CmpIOp>(arith::CmpIPredicate::sge, key, zero);
  Value found = b.select(some, divide(key, kSize), zero);
  Value block = b.select(ofBlock, ofWork, found);
  Segment segment = segmentOf(block);
  Value inside = both(some, below(segment.first, begin));
  Value low = b.select(ofBlock, segment.first, begin);
  Value high = least(segment.end, multiply(add(divide(low, kPart), b.i32(1)), kPart));
  high = b.select(b.create<arith::OrIOp>(ofBlock, inside), high, low);

  auto rowsWhere = [&](Value number, Value condition, Value length) {
    return rowsOf(number, b.select(condition, length, zero), kSize);
  };
  Value ofRow = byRow(b.positions(rowsOf(block, argument("nq"), kSize)));
  Value prior = loadSlab("gradient", zero, rowsWhere(block, ofBlock, argument("prior_rows")));
  auto fetch = [&](Value at) -> SmallVector<Value> {
    Value rows = b.rows(OrderKind::Table, at, argument("n"), argument("order"), kSize);
    return {b.load(argument("keys"), {at}, whole()), loadSlab("dx", zero, rows)};
  };
  auto step = [&](ValueRange fetched, ValueRange carried) -> SmallVector<Value> {
    return {addRowsOf(ofRow, fetched[0], fetched[1], carried[0])};
  };
  Value total = foldRange(low, high, prior, fetch, step)[0];
  storeSlab(total, "gradient", zero, rowsWhere(block, ofBlock, argument("nq")));
  Value apart = b.select(ofBlock, zero, b.i32(kSize));
  storeSlab(total, "sums", part, rowsOf(zero, apart, kSize));
}

/// A block's parts after its first one, in order.
void Segments::sum() {
  addVectors({"starts", "sizes"});
  addSlabs("sums", b.getF32Type());
  addSlabs("gradient", b.getF32Type());
  addIntegers({"items", "blocks", "nq"});
  write((op.getSymName() + "_sum").str(), [&] {
    Value i = item(), zero = b.i32(0), block = remainder(i, argument("blocks"));
    enterSlab(divide(i, argument("blocks")));
    Segment segment = segmentOf(block);
    Value low = add(divide(segment.first, kPart), b.i32(1));
    Value high = divide(add(segment.end, b.i32(kPart - 1)), kPart);
    Value length = b.select(below(low, high), argument("nq"), zero);
    Value total =
        loop(low, high, loadSlab("gradient", zero, rowsOf(block, length, kSize)),
             [&](Value part, Value sum) { return b.add(sum, loadSlab("sums", part, whole())); });
    storeSlab(total, "gradient", zero, rowsOf(block, length, kSize));
  });
}

} // namespace

void EmbeddingSegmentsOp::buildKernels(OpBuilder &builder) {
  Segments segments(*this, builder);
  segments.count();
  segments.total();
  segments.place();
  segments.sort();
  segments.parts();
  segments.sum();
}

} // namespace sparsec::ops
