// warp-to-llvm, tiles by columns: loads to registers and stores from them of tiles whose columns
// are those of one tile of an axis, which may end anywhere, and of vectors along such columns.
//
//   columns 0 .. length - 1       | tile 0 | tile 1 | til|
//
//   all of the tile exists and its runs of columns lie on their own size    whole runs
//   no row of it exists, and it is loaded                                   zeros
//   runs lie so and end where the axis does, or before it                   whole runs, asked for
//   else (rows that are no multiple of 16 bytes)                            one element at a time
//
// Sums of products of 16 bits lie in runs of 4 bytes; whole ones are stored 16 bytes at a time,
// once the four lanes of a quad have exchanged what they have of four runs.
//
// Which of them holds is the same for all threads and is decided where the tile is accessed, so one
// kernel serves every view. The way in the middle is there where a run is 16 bytes.
#include "codegen/ptx/Lowering.h"

using namespace mlir;

namespace sparsec {
namespace {

using fragments::Coordinate;
using fragments::Fragment;

/// The elements of a view that a thread holds of a tile.
class TileAccess {
public:
  template <class Op>
  TileAccess(ThreadEmitter &emit, Op op, typename Op::Adaptor adaptor, RankedTensorType type)
      : emit(emit), view(adaptor.getView()), viewType(op.getView().getType()),
        held(warp::fragmentOf(type)), bytes(bytesOf(viewType.getElementType())),
        width(int(std::min<int64_t>(held.run, 16 / bytes))) {
    base = baseAddress(emit, view, adaptor.getIndices(), bytes);
    Value columns = adaptor.getRows();
    size = type.getShape();
    if (type.getRank() == 2) {
      rows.emplace(emit, op.getRows().getType(), adaptor.getRows(), &held);
      rowsValue = adaptor.getRows();
      columns = adaptor.getColumns();
      row = emit.firstRow(held);
      rowBytes = emit.multiply(emit.field(view, viewType.getStrides()), bytes);
    }
    first = emit.field(columns, 0);
    length = emit.field(columns, 1);
    column = emit.add(first, emit.firstColumn(held));
  }

  struct Place {
    size_t index; ///< of the first register
    Value address, exists;
  };
  using Visit = llvm::function_ref<void(const Place &)>;

  int runWidth() const { return width; }
  size_t registers() const { return held.registers.size(); }
  bool hasMiddleWay() const { return width * bytes == 16; }

  /// Whether runs lie on multiples of their size.
  Value isAligned() { return sparsec::isAligned(emit, view, viewType, width * bytes); }
  /// Whether no run begins before the end of the axis and ends behind it.
  Value endsWithRun() { return emit.equal(emit.bitAnd(length, width - 1), 0); }
  /// Whether all rows and columns exist. Rows in an order are asked for one by one.
  Value isWhole() {
    Value whole = emit.atLeast(length, emit.add(first, size.back()));
    if (!rows)
      return whole;
    if (!rows->isNatural())
      return emit.create<LLVM::ConstantOp>(emit.getI1Type(), emit.getBoolAttr(false));
    Value last = emit.add(emit.field(rowsValue, 0), size.front());
    return emit.bitAnd(whole, emit.atLeast(emit.field(rowsValue, 1), last));
  }
  /// Whether no row of the tile exists, where that is seen at once.
  Value isEmpty() {
    if (!rows || !rows->isNatural())
      return Value();
    return emit.atLeast(emit.field(rowsValue, 0), emit.field(rowsValue, 1));
  }
  /// Of a whole tile, run by run.
  void visitWhole(Visit visit) {
    llvm::DenseMap<int, Value> starts;
    for (size_t i = 0; i < registers(); i += width) {
      Value &start = starts[held.registers[i].row];
      if (!start)
        start = emit.advance(rowAddress(rowAt(held.registers[i].row).position),
                             emit.multiply(emit.wide(column), bytes));
      visit({i, emit.advance(start, held.registers[i].column * bytes), Value()});
    }
  }

  /// Runs of a row that a quad exchanges, so that each lane has one of eight columns.
  static constexpr int kExchanged = 4;
  /// Whether a whole tile is stored so.
  bool exchanges() const {
    if (held.run != 2 || bytes != 2 || held.lane.columnModulus != kExchanged)
      return false;
    for (size_t i = 0; i < registers(); i += 2) {
      const Coordinate &first = held.registers[i / (2 * kExchanged) * 2 * kExchanged];
      int run = int(i / 2) % kExchanged;
      if (held.registers[i] != first + (Coordinate{0, 8 * run}))
        return false;
    }
    return registers() % (2 * kExchanged) == 0;
  }
  /// Where runs of eight columns may be stored at a time.
  Value isAlignedForRuns() { return sparsec::isAligned(emit, view, viewType, 16); }
  /// Of a whole tile, the lane's run of each `kExchanged`, from register `index` on.
  void visitExchanged(Visit visit) {
    Value further = emit.multiply(emit.remainder(emit.lane(), kExchanged), 16 - 2 * bytes);
    visitWhole([&](const Place &place) {
      if (place.index % (2 * kExchanged) == 0)
        visit({place.index, emit.advance(place.address, emit.wide(further)), Value()});
    });
  }

  /// `step` elements at a time. Nothing may be read or written that does not exist, not even to be
  /// thrown away: somebody else may write there.
  void visitParts(int step, Visit visit) {
    llvm::DenseMap<int, std::pair<Value, Value>> rowsSeen; // address, exists
    for (size_t i = 0; i < registers(); i += step) {
      auto [row, skipped] = held.registers[i];
      auto found = rowsSeen.find(row);
      if (found == rowsSeen.end()) {
        RowPositions::Row at = rowAt(row);
        Value start =
            emit.advance(rowAddress(at.position), emit.multiply(emit.wide(column), bytes));
        found = rowsSeen.insert({row, {start, at.exists}}).first;
      }
      auto [start, rowExists] = found->second;
      Value exists = emit.below(emit.add(column, skipped), length);
      if (rows)
        exists = emit.bitAnd(exists, rowExists);
      visit({i, emit.advance(start, skipped * bytes), exists});
    }
  }

private:
  ThreadEmitter &emit;
  Value view;
  tile::ViewType viewType;
  Fragment held;
  int64_t bytes;
  int width; ///< elements of a run, or of 16 bytes of it
  ArrayRef<int64_t> size;
  Value base, first, length, column, rowsValue, row, rowBytes;
  std::optional<RowPositions> rows; ///< none of a vector along the columns

  RowPositions::Row rowAt(int constant) {
    return rows ? rows->at(row, constant) : RowPositions::Row{};
  }
  Value rowAddress(Value position) {
    return position ? emit.advance(base, emit.multiply(emit.wide(position), rowBytes)) : base;
  }
};

bool isAlongColumns(RankedTensorType type) {
  auto slice = dyn_cast_or_null<warp::SliceAttr>(type.getEncoding());
  return slice && slice.getAxis() == warp::Axis::Columns;
}

struct LoadColumnsPattern : OpConversionPattern<tile::LoadOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::LoadOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getResult().getType());
    bool ofStripes = isAlongColumns(type) &&
                     op.getRows().getType().getOrder() == tile::OrderKind::Natural &&
                     isa<warp::StripedAttr>(cast<warp::SliceAttr>(type.getEncoding()).getOf());
    if (!type.getEncoding() || !(op.getColumns() || ofStripes))
      return failure();
    ThreadEmitter emit(op, rewriter);
    TileAccess access(emit, op, adaptor, type);
    Value aligned = access.isAligned();
    Type element = op.getView().getType().getElementType();
    auto runs = VectorType::get({access.runWidth()}, type.getElementType());
    auto whole = [&] { return loadWhole(emit, access, element); };
    auto byRuns = [&] { return loadParts(emit, access, access.runWidth(), element, runs); };
    auto byElements = [&] { return packed(emit, loadParts(emit, access, 1, element, runs), runs); };
    auto some = [&] {
      return access.hasMiddleWay()
                 ? emit.choose(emit.bitAnd(aligned, access.endsWithRun()), byRuns, byElements)
                 : byElements();
    };
    auto nothing = [&] {
      Value zeros = emit.create<LLVM::ZeroOp>(runs);
      return SmallVector<Value>(access.registers() / access.runWidth(), zeros);
    };
    auto partly = [&] {
      Value empty = access.isEmpty();
      return empty ? emit.choose(empty, nothing, some) : some();
    };
    SmallVector<Value> values;
    for (Value run : emit.choose(emit.bitAnd(aligned, access.isWhole()), whole, partly))
      values.append(emit.elements(run));
    rewriter.replaceOp(op, emit.pack(values));
    return success();
  }

  static SmallVector<Value> loadWhole(ThreadEmitter &emit, TileAccess &access, Type element) {
    auto run = VectorType::get({access.runWidth()}, element);
    SmallVector<Value> values;
    access.visitWhole([&](const TileAccess::Place &place) {
      values.push_back(readElements(emit, run, place.address));
    });
    return values;
  }

  static SmallVector<Value> loadParts(ThreadEmitter &emit, TileAccess &access, int step,
                                      Type element, VectorType runs) {
    Type part = step == 1 ? element : Type(VectorType::get({step}, element));
    Type held = step == 1 ? runs.getElementType() : Type(runs);
    SmallVector<Value> values;
    access.visitParts(step, [&](const TileAccess::Place &place) {
      auto there = [&] { return SmallVector<Value>{readElements(emit, part, place.address)}; };
      auto missing = [&] { return SmallVector<Value>{emit.create<LLVM::ZeroOp>(held)}; };
      values.push_back(emit.choose(place.exists, there, missing)[0]);
    });
    return values;
  }

  static SmallVector<Value> packed(ThreadEmitter &emit, ArrayRef<Value> values, VectorType runs) {
    SmallVector<Value> packed;
    for (size_t i = 0; i < values.size(); i += runs.getNumElements())
      packed.push_back(emit.pack(values.slice(i, runs.getNumElements())));
    return packed;
  }
};

struct StoreColumnsPattern : OpConversionPattern<tile::StoreOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(tile::StoreOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getValue().getType());
    if (!type.getEncoding() || !(op.getColumns() || isAlongColumns(type)))
      return failure();
    if (isAlongColumns(type) && op.getRows().getType().getOrder() != tile::OrderKind::Natural)
      return rewriter.notifyMatchFailure(op, "expected columns in their natural order");
    ThreadEmitter emit(op, rewriter);
    OpBuilder::InsertionGuard guard(emit);
    if (type.getRank() == 1) { // all warps and all lanes of a column have it
      Value once = emit.below(emit.thread(), emit.i32(warp::fragmentOf(type).lane.columnModulus));
      emit.when(once);
    }
    TileAccess access(emit, op, adaptor, type);
    SmallVector<Value> values = emit.elements(adaptor.getValue());
    bool exchanges = access.exchanges();
    Value aligned = exchanges ? access.isAlignedForRuns() : access.isAligned();
    auto byElements = [&] { storeParts(emit, access, values, 1); };
    auto partly = [&] {
      if (!access.hasMiddleWay())
        return byElements();
      either(
          emit, emit.bitAnd(aligned, access.endsWithRun()),
          [&] { storeParts(emit, access, values, access.runWidth()); }, byElements);
    };
    auto whole = [&] {
      if (exchanges)
        return access.visitExchanged([&](const TileAccess::Place &place) {
          storeExchanged(emit, ArrayRef(values).slice(place.index, 2 * TileAccess::kExchanged),
                         place.address);
        });
      access.visitWhole([&](const TileAccess::Place &place) {
        store(emit, ArrayRef(values).slice(place.index, access.runWidth()), place.address);
      });
    };
    either(emit, emit.bitAnd(aligned, access.isWhole()), whole, partly);
    rewriter.eraseOp(op);
    return success();
  }

  using Way = llvm::function_ref<void()>;
  static void either(ThreadEmitter &emit, Value condition, Way then, Way otherwise) {
    emit.choose(
        condition, [&] { return then(), SmallVector<Value>(); },
        [&] { return otherwise(), SmallVector<Value>(); });
  }

  static void storeParts(ThreadEmitter &emit, TileAccess &access, ArrayRef<Value> values,
                         int step) {
    access.visitParts(step, [&](const TileAccess::Place &place) {
      OpBuilder::InsertionGuard guard(emit);
      emit.when(place.exists);
      store(emit, values.slice(place.index, step), place.address);
    });
  }

  /// Four pairs of a lane, of four runs, against those of the other lanes of its quad: lane j gets
  /// all of run j.
  static void storeExchanged(ThreadEmitter &emit, ArrayRef<Value> pairs, Value address) {
    SmallVector<Value, 4> held;
    for (int i = 0; i < TileAccess::kExchanged; ++i)
      held.push_back(
          emit.create<LLVM::BitcastOp>(emit.getI32Type(), emit.pack(pairs.slice(2 * i, 2))));
    auto bit = [&](int mask) { return emit.greater(emit.bitAnd(emit.lane(), mask), 0); };
    Value odd = bit(1), upper = bit(2);
    // A lane keeps the one of two that its bit names, and gives the other away.
    auto exchange = [&](Value &low, Value &high, Value keepsHigh, int mask) {
      Value got = emit.shuffleXor(emit.select(keepsHigh, low, high), mask);
      Value own = low;
      low = emit.select(keepsHigh, got, own);
      high = emit.select(keepsHigh, high, got);
    };
    exchange(held[0], held[1], odd, 1);
    exchange(held[2], held[3], odd, 1);
    exchange(held[0], held[2], upper, 2);
    exchange(held[1], held[3], upper, 2);
    emit.create<LLVM::StoreOp>(emit.pack({held[0], held[1], held[2], held[3]}), address, 16);
  }

  static void store(ThreadEmitter &emit, ArrayRef<Value> run, Value address) {
    int64_t size = int64_t(run.size()) * bytesOf(run[0].getType());
    Value value = run.size() == 1 ? run[0] : emit.pack(run);
    if (run.size() > 1 && size == 4) // one register
      value = emit.create<LLVM::BitcastOp>(emit.getI32Type(), value);
    emit.create<LLVM::StoreOp>(value, address, size);
  }
};

} // namespace

void populateColumnPatterns(RewritePatternSet &patterns, const ThreadTypes &types) {
  patterns.add<LoadColumnsPattern, StoreColumnsPattern>(types, patterns.getContext(),
                                                        PatternBenefit(2));
}

} // namespace sparsec
