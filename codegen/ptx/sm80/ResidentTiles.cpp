#include "codegen/ptx/sm80/ResidentTiles.h"

#include "codegen/ptx/Warp.h"
#include "codegen/ptx/sm80/BlockStages.h"

using namespace mlir;

namespace sparsec::sm80 {
namespace {

/// 32-bit registers of left operands, accumulators, scores and fetched vectors that a thread can
/// spare before left operands are read from shared memory again for each block.
constexpr int64_t kFragmentRegisters = 160;

/// What the folds of a chain hold of tiles, in registers of a thread.
int64_t registersOf(const FoldChain &chain) {
  tile::FoldOp fold = chain.first();
  int64_t registers = 0;
  for (ValueRange values : {ValueRange(fold.getInit()), ValueRange(fold.leadYield().getOperands()),
                            ValueRange(fold.fetchYield().getOperands())})
    for (Value value : values)
      if (auto tensor = dyn_cast<RankedTensorType>(value.getType()); tensor && tensor.getEncoding())
        registers += warp::elementsPerThread(tensor);
  return registers;
}

bool isIn(Operation *op, const FoldChain &chain) {
  return llvm::any_of(chain.folds, [&](tile::FoldOp fold) { return fold->isProperAncestor(op); });
}

/// Whether a chain takes the tile as left operand, and nobody as anything else.
bool isLeftOperand(Value tile, const FoldChain &chain) {
  bool taken = false;
  for (OpOperand &use : tile.getUses()) {
    auto dot = dyn_cast<tile::DotOp>(use.getOwner());
    if (!dot || use.getOperandNumber() != 0 || dot.getLhsT())
      return false;
    taken |= isIn(dot, chain);
  }
  return taken;
}

} // namespace

LogicalResult ResidentTiles::copy(tile::LoadOp load, Block &body) {
  PipelineBuilder emit(load.getLoc(), &body, body.begin());
  if (!buffers.empty())
    emit.setInsertionPointAfterValue(buffers.back().second);
  FailureOr<Value> buffer = allocateBuffer(emit, load, /*stages=*/1);
  if (failed(buffer))
    return failure();
  emit.setInsertionPoint(load);
  copyTile(emit, load, IRMapping(), *buffer);
  buffers[load.getResult()] = *buffer;
  return success();
}

SmallVector<Value> ResidentTiles::forRegisters(const FoldChain &chain, int warps) const {
  SmallVector<Value> tiles;
  int64_t used = registersOf(chain);
  for (auto &[tile, buffer] : buffers) {
    auto type = cast<RankedTensorType>(tile.getType());
    int64_t rows = type.getDimSize(0) / warps;
    int64_t registers = rows * type.getDimSize(1) / 64;
    if (type.getElementType().isF32() || !isLeftOperand(tile, chain) ||
        used + registers > kFragmentRegisters)
      continue;
    used += registers;
    tiles.push_back(tile);
  }
  return tiles;
}

void ResidentTiles::load(PipelineBuilder &emit, ArrayRef<Value> tiles, int warps,
                         Operands &operands) {
  for (Value tile : tiles) {
    auto type = cast<RankedTensorType>(tile.getType());
    auto encoding = warp::LhsAttr::get(emit.getContext(), warps, int(type.getDimSize(0)) / warps);
    operands[tile] = emit.create<warp::LoadMatrixOp>(
        RankedTensorType::get(type.getShape(), type.getElementType(), encoding), operands[tile]);
  }
}

} // namespace sparsec::sm80
