#include "dialect/ops/rows/RowWriter.h"

using namespace mlir;
using namespace sparsec::tile;

namespace sparsec::ops {

void RowWriter::addNumbers(ArrayRef<StringRef> integers, ArrayRef<StringRef> reals) {
  for (StringRef name : integers)
    addArgument(name, b.getI32Type());
  for (StringRef name : reals)
    addArgument(name, b.getF32Type());
}

Value RowWriter::loadMatrix(StringRef name, Value ofRows, Value columns) {
  return b.widen(b.load(argument(name), {}, ofRows, columns));
}

Value RowWriter::loadTile(StringRef name, Value ofRows, Value columns) {
  if (Value before = loaded.lookup(name))
    return before;
  Value made = loadMatrix(name, ofRows, columns);
  if (isOneTile())
    loaded[name] = made;
  return made;
}

Value RowWriter::loadAcross(StringRef name, Value columns) {
  return b.acrossRows(b.widen(b.load(argument(name), {}, columns)), tile.rows);
}

void RowWriter::storeTile(Value value, StringRef name, Value columns) {
  Value view = argument(name);
  Type element = cast<ViewType>(view.getType()).getElementType();
  b.store(b.convert(value, element), view, {}, rows, columns, TileBuilder::Reuse::Streaming);
}

Value RowWriter::whereColumns(Value columns, Value value, float other) {
  if (width % tile.columns == 0)
    return value;
  Value limit = b.splat(b.i32(width), {tile.columns});
  Value exists = b.create<arith::CmpIOp>(arith::CmpIPredicate::slt, b.positions(columns), limit);
  return b.select(b.acrossRows(exists, tile.rows), value, b.constant(ofTile, other));
}

RowWriter::Values RowWriter::foldColumns(ValueRange init, Fetch fetch, Step step) {
  auto columnsOf = [&](Value index) {
    return b.rows(OrderKind::Natural, index, b.i32(width), Value(), tile.columns);
  };
  if (isOneTile()) {
    Value columns = columnsOf(b.i32(0));
    return step(columns, fetch(columns), init);
  }
  auto fetchAll = [&](Value index) {
    Values fetched = {columnsOf(index)};
    llvm::append_range(fetched, fetch(fetched[0]));
    return fetched;
  };
  Value tiles = b.i32((width + tile.columns - 1) / tile.columns);
  return foldRange(b.i32(0), tiles, init, fetchAll, [&](ValueRange fetched, ValueRange carried) {
    return step(fetched[0], fetched.drop_front(), carried);
  });
}

void RowWriter::forColumns(Fetch fetch, function_ref<void(Value, ValueRange)> step) {
  foldColumns({}, fetch, [&](Value columns, ValueRange fetched, ValueRange) {
    step(columns, fetched);
    return Values();
  });
}

} // namespace sparsec::ops
