// Products of bf16 pairs: AVX512-BF16 and AMX multiply two neighbours of the summed dimension at
// once.
//
//   S = K Q^T   sums along d, where pairs lie in memory: K's as they are, Q's transposed as i32
//   O = P V     sums along keys: V's rows two by two, interleaved; P's packed as they are made
//
// AMX wants what is broadcast as rows of pairs, so V's are transposed (AmxProducts.cpp). A product
// takes this way when its operands are loads, or the one across lanes is rounded in a loop over its
// rows. Others take f32.
#include "codegen/cpu/emit/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace sparsec::cpu {

/// A load whose rows lie as they are in memory.
static bool isWholeLoad(Value value) {
  auto load = value.getDefiningOp<tile::LoadOp>();
  if (!load || tileType(value).getDimSize(1) * 4 > 4096)
    return false;
  return !load.getColumns() ||
         cast<tile::RowsType>(load.getColumns().getType()).getOrder() == tile::OrderKind::Natural;
}

bool KernelEmitter::isPairProduct(tile::DotOp dot, const std::vector<Sweep> &sweeps) const {
  DotOperands operands = dotOperands(dot, dims);
  Value lanes = flow.resolve(operands.lanes), broadcast = flow.resolve(operands.broadcast);
  if (!tileType(lanes).getElementType().isBF16() || operands.sum % 16 || lanes == broadcast ||
      !isWholeLoad(broadcast))
    return false;
  RankedTensorType result = tileType(dot.getResult());
  if (code.level.tiles && (result.getDimSize(0) % 16 || result.getDimSize(1) % 16))
    return false;
  if (isWholeLoad(lanes))
    return true;
  if (!lanes.getDefiningOp<arith::TruncFOp>() || dims.laneDim(lanes) != operands.lanesDim)
    return false;
  return llvm::any_of(sweeps, [&](const Sweep &sweep) {
    return !sweep.dot && sweep.kind == Sweep::Rows &&
           llvm::is_contained(sweep.ops, lanes.getDefiningOp());
  });
}

void KernelEmitter::findPairs(ArrayRef<Operation *> ops) {
  for (const Group &group : loopPlan.groups(ops)) {
    if (group.laneClass == Group::kSerial)
      continue;
    std::vector<Sweep> sweeps = loopPlan.sweeps(group);
    for (Operation *op : group.ops)
      if (auto dot = dyn_cast<tile::DotOp>(op); dot && isPairProduct(dot, sweeps))
        pairProducts.insert(op);
  }
}

/// Whether an operation takes a tile as an operand of a product of pairs.
bool KernelEmitter::takesPairs(Operation *reader, Value value) const {
  if (!pairProducts.contains(reader))
    return false;
  DotOperands operands = dotOperands(cast<tile::DotOp>(reader), dims);
  return flow.resolve(operands.lanes) == value || flow.resolve(operands.broadcast) == value;
}

bool KernelEmitter::readAsPairs(Value value) const {
  return llvm::any_of(flow.readers(value),
                      [&](Operation *reader) { return takesPairs(reader, value); });
}

bool KernelEmitter::readOnlyAsPairs(Value value) const {
  return llvm::all_of(flow.readers(value), [&](Operation *reader) {
    // What a product starts from it takes as f32.
    return takesPairs(reader, value) &&
           llvm::none_of(loopPlan.reads(reader), [&](const Read &read) {
             return read.value == value && read.access == Access::Cell;
           });
  });
}

/// The forms that a loaded tile's products want. Pairs along memory's rows are there already.
void KernelEmitter::loadPairs(tile::LoadOp load, llvm::Value *pointers) {
  Value result = load.getResult();
  RankedTensorType type = load.getType();
  Storage interleaved;
  for (Operation *reader : flow.readers(result)) {
    if (!takesPairs(reader, result))
      continue;
    DotOperands operands = dotOperands(cast<tile::DotOp>(reader), dims);
    bool acrossLanes = flow.resolve(operands.lanes) == result;
    int sumDim = 1 - (acrossLanes ? operands.lanesDim : operands.rowDim);
    if (code.level.tiles && !acrossLanes) {
      broadcastPairs[result] =
          sumDim == 0 ? loadPairColumns(load, pointers) : loadPairRows(load, pointers);
    } else if (sumDim == 0) {
      if (interleaved.kind == Storage::None) {
        interleaved = allocatePairs(type.getDimSize(0) / 2, type.getDimSize(1), /*laneDim=*/1,
                                    /*local=*/false, /*asRows=*/true);
        loadRowPairs(load, interleaved, pointers);
      }
      (acrossLanes ? lanePairs : broadcastPairs)[result] = interleaved;
    } else if (acrossLanes) {
      Storage made = allocatePairs(type.getDimSize(1) / 2, type.getDimSize(0), /*laneDim=*/0,
                                   /*local=*/false, /*asRows=*/false);
      View pairs = views[load.getView()];
      pairs.element = code.getInt32Ty(), pairs.type = IntegerType::get(kernel.getContext(), 32);
      loadTransposed(pairs, type.getDimSize(1) / 2, made, pointers);
      lanePairs[result] = made;
    } else {
      Storage made;
      made.kind = Storage::Pointers;
      made.base = pointers;
      made.element = code.getInt32Ty();
      broadcastPairs[result] = made;
    }
  }
}

/// Rows two by two: element (i, j) is rows 2 i and 2 i + 1 at column j.
void KernelEmitter::loadRowPairs(tile::LoadOp load, const Storage &to, llvm::Value *pointers) {
  int64_t columns = load.getType().getDimSize(1), width = to.shape.vector;
  code.loop(code.i64(0), code.i64(load.getType().getDimSize(0) / 2), 1, [&](llvm::Value *pair) {
    llvm::Value *entry = code.at(pointers, code.CreateMul(pair, code.i64(16)));
    llvm::Value *low = code.loadAs(code.getPtrTy(), entry, 8);
    llvm::Value *high = code.loadAs(code.getPtrTy(), code.at(entry, 8), 8);
    llvm::Value *into = lanesPointer(to, code.i64(0), pair);
    for (int64_t column = 0; column < columns; column += width)
      code.storeTo(rowPair(code.at(low, column * 2), code.at(high, column * 2), int(width)),
                   code.at(into, column * 4));
  });
}

/// `width` pairs of two rows of memory.
llvm::Value *KernelEmitter::rowPair(llvm::Value *low, llvm::Value *high, int width) {
  llvm::Type *words = code.vectorOf(code.getInt32Ty(), width);
  auto half = [&](llvm::Value *row) {
    return code.CreateZExt(code.loadAs(code.vectorOf(code.getInt16Ty(), width), row, 1), words);
  };
  return code.CreateOr(half(low), code.CreateShl(half(high), llvm::ConstantInt::get(words, 16)));
}

/// Packs what two neighbouring rows of a sweep have made. The rounding is the packing's.
void KernelEmitter::storePairs(const Sweep &sweep, Cell &low, Cell &high) {
  for (Operation *op : sweep.ops) {
    auto found = op->getNumResults() ? lanePairs.find(op->getResult(0)) : lanePairs.end();
    if (found == lanePairs.end())
      continue;
    Value wide = cast<arith::TruncFOp>(op).getIn();
    LaneVectors first = lanes(wide, low), second = lanes(wide, high), packed;
    for (auto [a, b] : llvm::zip(first, second))
      packed.push_back(code.packPairs(a, b));
    Cell pair = low;
    pair.row = code.CreateLShr(low.row, code.i64(1));
    storeLanes(found->second, pair, packed);
  }
}

std::vector<LaneVectors> KernelEmitter::sumPairs(const Sweep &sweep, Cell &panel, llvm::Value *row,
                                                 const std::vector<LaneVectors> &start) {
  DotOperands operands = dotOperands(sweep.dot, dims);
  const Storage &across = lanePairs[flow.resolve(operands.lanes)];
  const Storage &broadcast = broadcastPairs[flow.resolve(operands.broadcast)];
  bool pointers = broadcast.kind == Storage::Pointers;
  int count = int(start.size()), parts = panel.shape.parts();
  SmallVector<llvm::Value *> first; // of each row, where its first pair lies
  for (int i = 0; i < count; ++i)
    first.push_back(
        pointers ? elementPointer(broadcast, code.CreateAdd(row, code.i64(i)), code.i64(0))
                 : code.at(code.at(broadcast.base, code.CreateMul(row, code.i64(4))), 4 * i));
  Strides strides{pointers ? 4 : broadcast.rowStride * 4,
                  lanesPointer(across, panel.panel, code.i64(0)), across.rowStride * 4};
  llvm::Type *vector = code.vectorOf(code.getInt32Ty(), panel.shape.vector);
  auto add = [&](llvm::Value *at, llvm::Value *lanesAt, MutableArrayRef<llvm::Value *> sums) {
    LaneVectors here;
    for (int part = 0; part < parts; ++part)
      here.push_back(code.loadAs(vector, code.at(lanesAt, part * panel.shape.vector * 4)));
    for (int i = 0; i < count; ++i) {
      llvm::Value *pair = code.CreateVectorSplat(
          panel.shape.vector, code.loadAs(code.getInt32Ty(), code.at(first[i], at), 2));
      for (int part = 0; part < parts; ++part) {
        llvm::Value *&sum = sums[i * parts + part];
        sum = code.multiplyPairs(pair, here[part], sum);
      }
    }
  };
  return sumInSteps(start, code.i64(0), code.i64(operands.sum / 2), strides, add);
}

} // namespace sparsec::cpu
