// Products of bf16 pairs in the tile registers of AMX: 16 rows of 64 bytes, and one instruction
//
//   C[i][j] += sum over p of A[i][p].low B[p][j].low + A[i][p].high B[p][j].high      i, j, p < 16
//
// B is pairs in panels, as PairForms.h has them. A is rows of pairs side by side: of K as memory
// has them, of V transposed. Both are filled up with zeros to whole tiles along the sum. C lies in
// memory: sums start from there, and the rest of a sweep takes its rows from there.
//
//   c00 c01   a0      registers 0 1   4      32 rows of a panel of 32 lanes at once: four sums, so
//   c10 c11   a1                2 3   5      that none waits for its last product
//   b0  b1                      6 7
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"
#include "codegen/cpu/products/PairForms.h"
#include "codegen/cpu/products/Products.h"

using namespace mlir;

namespace sparsec::cpu {
namespace {

/// Elements of 32 bits in a row of a register, and its rows.
constexpr int kSide = kWholePairs;

int64_t wholeTiles(int64_t pairs) {
  return llvm::alignTo(pairs, kSide);
}

//===-- Rows of pairs: the A of a product -----------------------------------------------------===//

/// `rows` rows of pairs side by side.
Place placeOfRows(const Panels &panels, Type element, int64_t rows, int64_t pairs) {
  auto type =
      RankedTensorType::get({rows, wholeTiles(pairs)}, IntegerType::get(element.getContext(), 32));
  return placeInPanels(panels, type, /*laneDim=*/1, Form::Rows);
}
Place placeInRows(const Panels &panels, RankedTensorType tile, int) {
  return placeOfRows(panels, tile.getElementType(), tile.getDimSize(0), tile.getDimSize(1) / 2);
}
Place placeInColumns(const Panels &panels, RankedTensorType tile, int) {
  return placeOfRows(panels, tile.getElementType(), tile.getDimSize(1), tile.getDimSize(0) / 2);
}

/// A tile's rows as memory has them.
void loadRows(KernelEmitter &emit, tile::LoadOp load, llvm::Value *pointers, Storage &to) {
  Code &code = emit.code;
  int64_t rows = load.getType().getDimSize(0), pairs = load.getType().getDimSize(1) / 2;
  code.loop(code.i64(0), code.i64(rows), 1, [&](llvm::Value *row) {
    llvm::Value *from =
        code.loadAs(code.getPtrTy(), code.at(pointers, code.CreateMul(row, code.i64(8))), 8);
    llvm::Value *into = emit.tiles.lanesPointer(to, code.i64(0), row);
    for (int64_t pair = 0; pair < wholeTiles(pairs); pair += kSide / 2) { // of 16 numbers each
      llvm::Type *vector = code.vectorOf(code.getInt32Ty(), kSide / 2);
      llvm::Value *bits = pair < pairs ? code.loadAs(vector, code.at(from, pair * 4), 2)
                                       : llvm::Constant::getNullValue(vector);
      code.storeTo(bits, code.at(into, pair * 4));
    }
  });
}

/// A tile's columns as rows of pairs: element (j, i) is rows 2 i and 2 i + 1 at column j.
void loadColumns(KernelEmitter &emit, tile::LoadOp load, llvm::Value *pointers, Storage &to) {
  Code &code = emit.code;
  int64_t pairs = load.getType().getDimSize(0) / 2, columns = load.getType().getDimSize(1);
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
        square[i] =
            rowPair(code, code.at(rows[2 * i], skip), code.at(rows[2 * i + 1], skip), kSide);
      llvm::Value *into = code.at(emit.tiles.lanesPointer(to, code.i64(0), column),
                                  code.CreateMul(pair, code.i64(4)));
      for (auto [j, vector] : llvm::enumerate(code.transpose(square)))
        code.storeTo(vector, code.at(into, int64_t(j) * to.rowStride() * 4));
    });
  };
  int64_t whole = pairs / kSide * kSide;
  code.loop(code.i64(0), code.i64(whole), kSide, [&](llvm::Value *pair) { squares(pair, kSide); });
  if (whole < pairs)
    squares(code.i64(whole), int(pairs - whole));
}

constexpr OperandEmission kLoadRows = {.load = loadRows}, kLoadColumns = {.load = loadColumns};
constexpr OperandForm kRows = {"rows of pairs", placeInRows, 1, &kLoadRows};
constexpr OperandForm kColumns = {"columns of pairs", placeInColumns, 1, &kLoadColumns};

const OperandForm *formOf(const AskedProduct &product, Side side) {
  if (side == Side::Lanes)
    return pairsAcrossLanes(product, kWholePairForms);
  return sumsAlongRows(product.operands, side) ? &kRows : &kColumns;
}

//===-- Products ------------------------------------------------------------------------------===//

struct Operand {
  llvm::Value *base = nullptr;
  int64_t stride = 0; ///< bytes from row to row
};
struct TileProduct {
  Operand sums, a, b;
  int64_t pairs = 0; ///< along the sum
  bool fromZero = false;
};

/// One register tile of sums: `down` x `across` registers from row `row` of a panel on.
void emitTile(Code &code, const TileProduct &product, llvm::Value *row, int down, int across) {
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
void intoMemory(KernelEmitter &emit, const Sweep &sweep, Cell &panel) {
  Code &code = emit.code;
  tile::DotOp dot = sweep.dot;
  const Product &planned = emit.plan.products.find(dot)->second;
  auto operand = [&](const Storage &from) {
    return Operand{emit.tiles.lanesPointer(from, panel.panel, code.i64(0)), from.rowStride() * 4};
  };
  const Storage &rows = emit.tiles.at(planned.broadcast), &sums = *emit.tiles.of(dot.getResult());
  TileProduct product;
  product.sums = operand(sums);
  product.a = {rows.base, rows.rowStride() * 4};
  product.b = operand(emit.tiles.at(planned.lanes));
  product.pairs = wholeTiles(planned.operands.sum / 2);
  product.fromZero = !dot.getAcc();
  if (dot.getAcc())
    code.loop(code.i64(0), code.i64(sweep.rows), 1, [&](llvm::Value *row) {
      Cell cell = panel.atRow(row, emit.dims.laneDim(dot.getResult()));
      emit.tiles.storeLanes(sums, cell, emit.lanes(dot.getAcc(), cell));
    });
  int across = panel.shape.panel / kSide;
  int64_t twos = sweep.rows / (2 * kSide) * (2 * kSide);
  code.loop(code.i64(0), code.i64(twos), 2 * kSide,
            [&](llvm::Value *row) { emitTile(code, product, row, 2, across); });
  if (twos < sweep.rows)
    emitTile(code, product, code.i64(twos), 1, across);
}

constexpr ProductEmission kEmission = {
    .begin = [](KernelEmitter &emit) { emit.code.beginTiles(emit.module); },
    .end = [](KernelEmitter &emit) { emit.code.endTiles(); },
    .intoMemory = intoMemory,
};

bool takes(const AskedProduct &product, ArrayRef<Sweep> sweeps) {
  tile::DotOp dot = product.dot;
  RankedTensorType result = tileType(dot.getResult());
  return result.getDimSize(0) % kSide == 0 && result.getDimSize(1) % kSide == 0 &&
         takesPairs(product, sweeps);
}

} // namespace

const ProductKind kAmx = {
    .name = "amx",
    .isOn = [](const Level &level) { return level.tiles; },
    .takes = takes,
    .formOf = formOf,
    .panel = 2 * kSide, // two tile registers
    .sumsInMemory = true,
    .emission = &kEmission,
};

} // namespace sparsec::cpu
