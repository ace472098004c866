// Products of bf16 pairs in the tile registers of AMX: 16 rows of 64 bytes, and one instruction
//
//   C[i][j] += sum over p of A[i][p].low B[p][j].low + A[i][p].high B[p][j].high      i, j, p < 16
//
// B is pairs in panels, as Pairs.cpp has them. A is rows of pairs side by side: of K as memory has
// them, of V transposed. Both are filled up with zeros to whole tiles along the sum. C lies in
// memory: sums start from there, and the rest of a sweep takes its rows from there.
//
//   c00 c01   a0      registers 0 1   4      32 rows of a panel of 32 lanes at once: four sums, so
//   c10 c11   a1                2 3   5      that none waits for its last product
//   b0  b1                      6 7
#include "codegen/cpu/emit/Emitter.h"

using namespace mlir;

namespace sparsec::cpu {

/// Elements of 32 bits in a row of a register, and its rows.
static constexpr int kSide = 16;

static int64_t wholeTiles(int64_t pairs) {
  return (pairs + kSide - 1) / kSide * kSide;
}

/// `rows` pairs of `lanes` lanes, in panels or as rows: the B of a product.
Storage KernelEmitter::allocatePairs(int64_t rows, int64_t lanes, int laneDim, bool local,
                                     bool asRows) {
  auto i32 = IntegerType::get(kernel.getContext(), 32);
  int64_t wholeRows = code.level.tiles ? wholeTiles(rows) : rows;
  SmallVector<int64_t> shape = {wholeRows, lanes};
  if (laneDim == 0)
    std::swap(shape[0], shape[1]);
  Storage made = allocateMatrix(RankedTensorType::get(shape, i32), laneDim, local, asRows);
  // What no pair is written to. Panels of a local tile share their memory.
  llvm::Type *vector = code.vectorOf(code.getInt32Ty(), made.shape.vector);
  for (int64_t panel = 0; panel < (local ? 1 : made.shape.panels()); ++panel)
    for (int64_t row = rows; row < wholeRows; ++row)
      for (int part = 0; part < made.shape.parts(); ++part)
        code.storeTo(llvm::Constant::getNullValue(vector),
                     code.at(lanesPointer(made, code.i64(panel), code.i64(row)),
                             part * made.shape.vector * 4));
  return made;
}

/// Rows of pairs side by side, `pairs` of them: the A of a product.
Storage KernelEmitter::allocatePairRows(int64_t rows, int64_t pairs) {
  auto i32 = IntegerType::get(kernel.getContext(), 32);
  auto type = RankedTensorType::get({rows, wholeTiles(pairs)}, i32);
  return allocateMatrix(type, /*laneDim=*/1, /*local=*/false, /*asRows=*/true);
}

/// A tile's rows as memory has them.
Storage KernelEmitter::loadPairRows(tile::LoadOp load, llvm::Value *pointers) {
  int64_t rows = load.getType().getDimSize(0), pairs = load.getType().getDimSize(1) / 2;
  Storage made = allocatePairRows(rows, pairs);
  code.loop(code.i64(0), code.i64(rows), 1, [&](llvm::Value *row) {
    llvm::Value *from =
        code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(row, code.i64(8))), 8);
    llvm::Value *into = lanesPointer(made, code.i64(0), row);
    for (int64_t pair = 0; pair < wholeTiles(pairs); pair += kSide / 2) { // of 16 numbers each
      llvm::Type *vector = code.vectorOf(code.getInt32Ty(), kSide / 2);
      llvm::Value *bits = pair < pairs ? code.loadAs(vector, code.at(from, pair * 4), 2)
                                       : llvm::Constant::getNullValue(vector);
      code.storeTo(bits, code.at(into, pair * 4));
    }
  });
  return made;
}

/// A tile's columns as rows of pairs: element (j, i) is rows 2 i and 2 i + 1 at column j.
Storage KernelEmitter::loadPairColumns(tile::LoadOp load, llvm::Value *pointers) {
  int64_t pairs = load.getType().getDimSize(0) / 2, columns = load.getType().getDimSize(1);
  Storage made = allocatePairRows(columns, pairs);
  llvm::Type *words = code.vectorOf(code.getInt32Ty(), kSide);
  auto squares = [&](llvm::Value *pair, int count) { // what is beyond `count` is zero
    SmallVector<llvm::Value *> rows;
    llvm::Value *entry = code.at(pointers, code.CreateMul(pair, code.i64(16)));
    for (int row = 0; row < 2 * count; ++row)
      rows.push_back(code.loadAs(code.getPtrTy(), code.at(entry, row * 8), 8));
    code.loop(code.i64(0), code.i64(columns), kSide, [&](llvm::Value *column) {
      SmallVector<llvm::Value *> square(kSide, llvm::Constant::getNullValue(words));
      llvm::Value *skip = code.CreateMul(column, code.i64(2));
      for (int i = 0; i < count; ++i)
        square[i] = rowPair(code.at(rows[2 * i], skip), code.at(rows[2 * i + 1], skip), kSide);
      llvm::Value *into =
          code.at(lanesPointer(made, code.i64(0), column), code.CreateMul(pair, code.i64(4)));
      for (auto [j, vector] : llvm::enumerate(code.transpose(square)))
        code.storeTo(vector, code.at(into, int64_t(j) * made.rowStride * 4));
    });
  };
  int64_t whole = pairs / kSide * kSide;
  code.loop(code.i64(0), code.i64(whole), kSide, [&](llvm::Value *pair) { squares(pair, kSide); });
  if (whole < pairs)
    squares(code.i64(whole), int(pairs - whole));
  return made;
}

/// One register tile of sums: `down` x `across` registers from row `row` of a panel on.
void KernelEmitter::emitTile(const TileProduct &product, llvm::Value *row, int down, int across) {
  constexpr int kA = 4, kB = 6;
  auto moved = [&](const Operand &operand, llvm::Value *rows) {
    return code.at(operand.base, code.CreateMul(rows, code.i64(operand.stride)));
  };
  auto eachSum = [&](llvm::function_ref<void(int tile, llvm::Value *at)> body) {
    for (int i = 0; i < down; ++i)
      for (int j = 0; j < across; ++j)
        body(2 * i + j,
             code.at(moved(product.sums, code.CreateAdd(row, code.i64(i * kSide))), j * kSide * 4));
  };
  eachSum([&](int tile, llvm::Value *at) {
    product.fromZero ? code.zeroTile(tile) : code.loadTile(tile, at, product.sums.stride);
  });
  code.loop(code.i64(0), code.i64(product.pairs), kSide, [&](llvm::Value *pair) {
    for (int i = 0; i < down; ++i)
      code.loadTile(kA + i,
                    code.at(moved(product.a, code.CreateAdd(row, code.i64(i * kSide))),
                            code.CreateMul(pair, code.i64(4))),
                    product.a.stride);
    for (int j = 0; j < across; ++j)
      code.loadTile(kB + j, code.at(moved(product.b, pair), j * kSide * 4), product.b.stride);
    for (int i = 0; i < down; ++i)
      for (int j = 0; j < across; ++j)
        code.multiplyTiles(2 * i + j, kA + i, kB + j);
  });
  eachSum([&](int tile, llvm::Value *at) { code.storeTile(tile, at, product.sums.stride); });
}

/// The product of a sweep, into memory.
void KernelEmitter::emitTileProduct(const Sweep &sweep, Cell &panel) {
  tile::DotOp dot = sweep.dot;
  DotOperands operands = dotOperands(dot, dims);
  auto operand = [&](const Storage &from) {
    return Operand{lanesPointer(from, panel.panel, code.i64(0)), from.rowStride * 4};
  };
  Storage rows = broadcastPairs[flow.resolve(operands.broadcast)];
  TileProduct product;
  product.sums = operand(storage[dot.getResult()]);
  product.a = {rows.base, rows.rowStride * 4};
  product.b = operand(lanePairs[flow.resolve(operands.lanes)]);
  product.pairs = wholeTiles(operands.sum / 2);
  product.fromZero = !dot.getAcc();
  if (dot.getAcc())
    code.loop(code.i64(0), code.i64(sweep.rows), 1, [&](llvm::Value *row) {
      Cell cell = panel.atRow(row, dims.laneDim(dot.getResult()));
      storeLanes(storage[dot.getResult()], cell, lanes(dot.getAcc(), cell));
    });
  int across = panel.shape.panel / kSide;
  int64_t twos = sweep.rows / (2 * kSide) * (2 * kSide);
  code.loop(code.i64(0), code.i64(twos), 2 * kSide,
            [&](llvm::Value *row) { emitTile(product, row, 2, across); });
  if (twos < sweep.rows)
    emitTile(product, code.i64(twos), 1, across);
}

} // namespace sparsec::cpu
