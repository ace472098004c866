// Products in f32, of operands in whatever form: the kind that takes what no other does.
//
// A register tile holds some rows of the result, a vector for each part of the panel. A step of its
// sum multiplies one element of each row, repeated across the lanes, with the parts of one row of
// the operand that lies across lanes:
//
//   step k    row i    sums[i][part] += broadcast[i][k] lanes[k][part]
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/emit/ProductEmission.h"
#include "codegen/cpu/products/Products.h"

using namespace mlir;

namespace sparsec::cpu {
namespace {

/// Sums of one register tile.
std::vector<LaneVectors> sum(KernelEmitter &emit, const Sweep &sweep, Cell &panel, llvm::Value *row,
                             const std::vector<LaneVectors> &start) {
  Code &code = emit.code;
  const Product &product = emit.plan.products.find(sweep.dot)->second;
  const DotOperands &operands = product.operands;
  const Storage &lanesIn = emit.tiles.at(product.lanes);
  const Storage &broadcast = emit.tiles.at(product.broadcast);
  int count = int(start.size());
  emit.prefetch(sweep, panel, row, count);
  bool pointers = broadcast.isPointers();
  llvm::Value *zero = code.i64(0);
  auto element = [&](llvm::Value *r, llvm::Value *k) {
    return operands.rowDim == 0 ? emit.tiles.elementPointer(broadcast, r, k)
                                : emit.tiles.elementPointer(broadcast, k, r);
  };
  // The sum runs along memory's rows, from row to row, or along lanes that lie in panels.
  bool alongRows = pointers && operands.rowDim == 0, overRows = pointers && !alongRows;
  bool alongLanes = !pointers && broadcast.laneDim != operands.rowDim;
  bool inPanels = alongLanes && broadcast.isInPanels();
  SmallVector<llvm::Value *> first; // of each row, in step 0
  for (int i = 0; i < count && !overRows; ++i)
    first.push_back(element(code.CreateAdd(row, code.i64(i)), zero));
  KernelEmitter::Strides strides;
  strides.broadcast = overRows                  ? 8
                      : inPanels                ? 1
                      : alongRows || alongLanes ? 4
                                                : broadcast.rowStride() * 4;
  if (alongRows && broadcast.rowBytes) {
    strides.rows = first;
    strides.toNext = code.CreateMul(broadcast.rowBytes, code.i64(count));
  }
  bool lanesByPointers = lanesIn.isPointers();
  strides.across =
      lanesByPointers ? lanesIn.base : emit.tiles.lanesPointer(lanesIn, panel.panel, zero);
  strides.acrossBytes = lanesByPointers ? 8 : lanesIn.rowStride() * 4;
  llvm::Type *vector = code.vectorOf(code.getFloatTy(), panel.shape.vector);
  auto add = [&](llvm::Value *at, llvm::Value *lanesAt, MutableArrayRef<llvm::Value *> sums) {
    auto memoryRow = [&](llvm::Value *entry) { return code.loadAs(code.getPtrTy(), entry, 8); };
    if (lanesByPointers)
      lanesAt = code.at(memoryRow(lanesAt),
                        code.CreateMul(panel.panel, code.i64(lanesIn.shape.panel * 4)));
    llvm::Value *sumRow = // memory's row of this step
        overRows ? code.at(memoryRow(code.at(broadcast.base, at)), code.CreateMul(row, code.i64(4)))
                 : nullptr;
    auto repeated = [&](int i) {
      llvm::Value *pointer = sumRow     ? code.at(sumRow, i * 4)
                             : inPanels ? element(code.CreateAdd(row, code.i64(i)), at)
                                        : code.at(first[i], at);
      return code.CreateVectorSplat(panel.shape.vector, code.loadAs(code.getFloatTy(), pointer));
    };
    auto across = [&](int part) {
      return code.loadAs(vector, code.at(lanesAt, part * panel.shape.vector * 4));
    };
    // The fewer ones stay in registers while the others come one by one. Each is loaded where it is
    // first multiplied: loads in a row hold up the products behind them.
    int parts = panel.shape.parts();
    bool rowsStay = count < parts;
    LaneVectors stay;
    for (int i = 0; i < std::max(count, parts); ++i) {
      llvm::Value *comes = rowsStay ? across(i) : repeated(i);
      for (int j = 0; j < std::min(count, parts); ++j) {
        if (i == 0)
          stay.push_back(rowsStay ? repeated(j) : across(j));
        llvm::Value *&sum = rowsStay ? sums[j * parts + i] : sums[i * parts + j];
        llvm::Value *a = rowsStay ? stay[j] : comes, *b = rowsStay ? comes : stay[j];
        sum = isa<llvm::Constant>(sum) ? code.CreateFMul(a, b) : code.multiplyAdd(a, b, sum);
      }
    }
  };
  // A short sum from zero has its first steps apart, where there is nothing to add to.
  constexpr int64_t kShort = 64;
  auto [begin, end] =
      emit.liveRange(emit.dims.classOf(operands.lanes, 1 - operands.lanesDim), operands.sum, panel);
  std::vector<LaneVectors> sums = start;
  bool fromZero = isa<llvm::Constant>(start[0][0]) && isa<llvm::Constant>(begin);
  if (fromZero && operands.sum > KernelEmitter::kStepsAtOnce && operands.sum <= kShort) {
    sums = emit.sumInSteps(sums, begin, nullptr, strides, add);
    begin = code.CreateAdd(begin, code.i64(KernelEmitter::kStepsAtOnce));
  }
  return emit.sumInSteps(sums, begin, end, strides, add);
}

constexpr ProductEmission kEmission = {.sum = sum};

} // namespace

const ProductKind kF32 = {
    .name = "f32",
    .isOn = [](const Level &) { return true; },
    .takes = [](const AskedProduct &, ArrayRef<Sweep>) { return true; },
    .leavesOutRows = true,
    .emission = &kEmission,
};

} // namespace sparsec::cpu
