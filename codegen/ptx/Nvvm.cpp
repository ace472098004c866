#include "codegen/ptx/Nvvm.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

using namespace mlir;

namespace sparsec::nvvm {
namespace {

Operation *create(ImplicitLocOpBuilder &emit, StringRef name, TypeRange results,
                  ValueRange operands, StringRef attributes = "{}") {
  OperationState state(emit.getLoc(), name, operands, results);
  Attribute parsed = parseAttribute(attributes, emit.getContext());
  state.addAttributes(cast<DictionaryAttr>(parsed).getValue());
  return emit.create(state);
}

Value specialRegister(ImplicitLocOpBuilder &emit, const Twine &name) {
  SmallString<48> whole;
  (Twine("nvvm.read.ptx.sreg.") + name).toVector(whole);
  return create(emit, whole, emit.getI32Type(), {})->getResult(0);
}

Value constant(ImplicitLocOpBuilder &emit, int32_t value) {
  return LLVM::ConstantOp::create(emit, emit.getI32Type(), emit.getI32IntegerAttr(value));
}

} // namespace

void registerDialect(DialectRegistry &registry) {
  registerNVVMDialectTranslation(registry);
}

void markKernel(LLVM::LLVMFuncOp function, int threads) {
  Builder build(function.getContext());
  function->setAttr("nvvm.kernel", build.getUnitAttr());
  function->setAttr("nvvm.maxntid", build.getDenseI32ArrayAttr({threads}));
  // Without it ptxas guesses how many blocks a multiprocessor should hold, and spills for them.
  function->setAttr("nvvm.minctasm", build.getI32IntegerAttr(1));
  function.setArgAttr(0, "nvvm.grid_constant", build.getUnitAttr());
}

Value threadIndex(ImplicitLocOpBuilder &emit) {
  return specialRegister(emit, "tid.x");
}

Value blockIndex(ImplicitLocOpBuilder &emit, Axis axis) {
  return specialRegister(emit, Twine("ctaid.") + Twine("xyz"[static_cast<int>(axis)]));
}

Value gridSize(ImplicitLocOpBuilder &emit) {
  return specialRegister(emit, "nctaid.x");
}

void copyAsync(ImplicitLocOpBuilder &emit, Value shared, Value global, Value valid, int bytes) {
  SmallVector<Value> operands = {shared, global};
  if (valid)
    operands.push_back(valid);
  create(emit, "nvvm.cp.async.shared.global", {}, operands,
         bytes == 16 ? "{size = 16 : i32, modifier = #nvvm<load_cache_modifier cg>}"
                     : "{size = 4 : i32, modifier = #nvvm<load_cache_modifier ca>}");
}

void commitCopies(ImplicitLocOpBuilder &emit) {
  create(emit, "nvvm.cp.async.commit.group", {}, {});
}

void waitForCopies(ImplicitLocOpBuilder &emit, int pending) {
  std::string attributes = ("{n = " + Twine(pending) + " : i32}").str();
  create(emit, "nvvm.cp.async.wait.group", {}, {}, attributes);
}

void barrier(ImplicitLocOpBuilder &emit) {
  create(emit, "nvvm.barrier0", {}, {});
}

Value loadMatrices(ImplicitLocOpBuilder &emit, Value address, bool transposed) {
  auto type =
      LLVM::LLVMStructType::getLiteral(emit.getContext(), SmallVector<Type>(4, emit.getI32Type()));
  std::string attributes = "{num = 4 : i32, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>, "
                           "eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<";
  attributes += transposed ? "col>}" : "row>}";
  return create(emit, "nvvm.ldmatrix", type, address, attributes)->getResult(0);
}

Value multiplyMatrices(ImplicitLocOpBuilder &emit, ValueRange a, ValueRange b, ValueRange sums,
                       bool half) {
  auto type =
      LLVM::LLVMStructType::getLiteral(emit.getContext(), SmallVector<Type>(4, emit.getF32Type()));
  SmallVector<Value> operands(a);
  operands.append(b.begin(), b.end());
  operands.append(sums.begin(), sums.end());
  std::string element = half ? "#nvvm.mma_type<f16>" : "#nvvm.mma_type<bf16>";
  std::string attributes = "{shape = #nvvm.shape<m = 16, n = 8, k = 16>, "
                           "layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, "
                           "multiplicandAPtxType = " +
                           element + ", multiplicandBPtxType = " + element +
                           ", operandSegmentSizes = array<i32: 4, 2, 4>}";
  return create(emit, "nvvm.mma.sync", type, operands, attributes)->getResult(0);
}

Value shuffle(ImplicitLocOpBuilder &emit, Shuffle kind, Value value, Value lane, int bounds) {
  Value everyLane = constant(emit, -1), last = constant(emit, bounds);
  return create(emit, "nvvm.shfl.sync", value.getType(), {everyLane, value, lane, last},
                kind == Shuffle::Index ? "{kind = #nvvm<shfl_kind idx>}"
                                       : "{kind = #nvvm<shfl_kind bfly>}")
      ->getResult(0);
}

} // namespace sparsec::nvvm
