// Products of bf16 pairs: AVX512-BF16 multiplies two neighbours of the summed dimension at once.
//
//   S = K Q^T   sums along d, where pairs lie in memory: K's as they are, Q's transposed as i32
//   O = P V     sums along keys: V's rows two by two, interleaved; P's packed as they are made
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"
#include "codegen/cpu/products/PairForms.h"
#include "codegen/cpu/products/Products.h"

using namespace mlir;

namespace sparsec::cpu {
namespace {

//===-- Pairs as memory has them --------------------------------------------------------------===//

Place placeInMemory(const Panels &, RankedTensorType tile, int) {
  Place place;
  place.form = Form::Pointers;
  place.element = IntegerType::get(tile.getContext(), 32);
  return place;
}
void pointAt(KernelEmitter &, tile::LoadOp, llvm::Value *pointers, Storage &to) {
  to.base = pointers;
}
constexpr OperandEmission kPointAt = {.load = pointAt};
constexpr OperandForm kInMemory = {"pairs in memory", placeInMemory, 1, &kPointAt};

const OperandForm *formOf(const AskedProduct &product, Side side) {
  if (side == Side::Lanes)
    return pairsAcrossLanes(product, kPairForms);
  return sumsAlongRows(product.operands, side) ? &kInMemory : &kPairForms.interleaved;
}

//===-- Sums ----------------------------------------------------------------------------------===//

std::vector<LaneVectors> sum(KernelEmitter &emit, const Sweep &sweep, Cell &panel, llvm::Value *row,
                             const std::vector<LaneVectors> &start) {
  Code &code = emit.code;
  const Product &product = emit.plan.products.find(sweep.dot)->second;
  const Storage &across = emit.tiles.at(product.lanes);
  const Storage &broadcast = emit.tiles.at(product.broadcast);
  bool pointers = broadcast.isPointers();
  int count = int(start.size()), parts = panel.shape.parts();
  SmallVector<llvm::Value *> first; // of each row, where its first pair lies
  for (int i = 0; i < count; ++i)
    first.push_back(
        pointers
            ? emit.tiles.elementPointer(broadcast, code.CreateAdd(row, code.i64(i)), code.i64(0))
            : code.at(code.at(broadcast.base, code.CreateMul(row, code.i64(4))), 4 * i));
  KernelEmitter::Strides strides{pointers ? 4 : broadcast.rowStride() * 4,
                                 emit.tiles.lanesPointer(across, panel.panel, code.i64(0)),
                                 across.rowStride() * 4};
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
  return emit.sumInSteps(start, code.i64(0), code.i64(product.operands.sum / 2), strides, add);
}

constexpr ProductEmission kEmission = {.sum = sum};

} // namespace

const ProductKind kPairs = {
    .name = "bf16 pairs",
    .isOn = [](const Level &level) { return level.bf16Pairs; },
    .takes = takesPairs,
    .formOf = formOf,
    .emission = &kEmission,
};

} // namespace sparsec::cpu
