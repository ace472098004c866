#include "codegen/ptx/EmitPtx.h"

#include "codegen/LlvmPasses.h"
#include "codegen/ptx/Warp.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/ADCE.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/Scalarizer.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <fmt/core.h>

extern "C" {
void LLVMInitializeNVPTXTargetInfo();
void LLVMInitializeNVPTXTarget();
void LLVMInitializeNVPTXTargetMC();
void LLVMInitializeNVPTXAsmPrinter();
}

namespace sparsec {
namespace {

/// LLVM's registry of targets lives as long as the process; ours goes in once.
const llvm::Target *nvptx(std::string &error) {
  static const bool registered = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)registered;
  return llvm::TargetRegistry::lookupTarget(llvm::Triple("nvptx64-nvidia-cuda"), error);
}

/// Keeps the first error that LLVM reports instead of printing it.
class DiagnosticSink : public llvm::DiagnosticHandler {
public:
  explicit DiagnosticSink(std::string &message) : message(message) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() == llvm::DS_Error && message.empty()) {
      llvm::raw_string_ostream stream(message);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }

private:
  std::string &message;
};

/// Whether a call acts across the threads of a warp.
bool actsAcrossWarp(const llvm::CallInst &call) {
  if (call.isInlineAsm())
    return true;
  const llvm::Function *callee = call.getCalledFunction();
  if (!callee)
    return true;
  llvm::StringRef name = callee->getName();
  return llvm::any_of(llvm::ArrayRef<llvm::StringRef>{"llvm.nvvm.mma.", "llvm.nvvm.ldmatrix.",
                                                      "llvm.nvvm.shfl.", "llvm.nvvm.barrier"},
                      [&](llvm::StringRef prefix) { return name.starts_with(prefix); });
}

/// What acts across a warp must not move into divergent code or be copied there. Neither the mma
/// intrinsics nor the translation of inline assembly say so.
void markConvergent(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction);
            call && actsAcrossWarp(*call))
          call->setConvergent();
}

/// A thread's vectors are taken apart, since PTX has no vector registers; then what the lowering
/// left to LLVM: equal addresses computed once, address arithmetic out of the loops, dead code.
/// LLVM's own O3 list takes seven times as long on large f32 kernels and ends with more registers.
void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::ScalarizerPass());
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::PreserveCFG));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()),
                                                       /*UseMemorySSA=*/true));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::ADCEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  runPasses(module, machine, std::move(passes));
}

} // namespace

namespace {

/// Leaves out straight-line strength reduction, which compares every addition of a value with all
/// others of it: half of the compile of a kernel with random numbers.
class WithoutStrengthReduction : public llvm::OptPassGate {
public:
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef) const override {
    return pass != "slsr";
  }
  bool isEnabled() const override { return true; }
};

} // namespace

/// Of the kernels of a module, as the passes left it on their functions.
static std::vector<Emitted::Resources> resourcesOf(mlir::ModuleOp module) {
  std::vector<Emitted::Resources> kernels;
  for (auto function : module.getOps<mlir::LLVM::LLVMFuncOp>()) {
    auto warps = function->getAttrOfType<mlir::IntegerAttr>(warp::kWarpsAttr);
    auto shared = function->getAttrOfType<mlir::IntegerAttr>(warp::kSharedBytesAttr);
    if (warps && shared)
      kernels.push_back({.entry = function.getSymName().str(),
                         .threads = 32 * int(warps.getInt()),
                         .sharedBytes = int(shared.getInt())});
  }
  return kernels;
}

Result<Emitted> emitPtx(mlir::ModuleOp source, const Target &target, std::string_view keep) {
  std::string message;
  const llvm::Target *backend = nvptx(message);
  if (!backend)
    return internalError(fmt::format("LLVM has no NVPTX backend: {}", message));
  llvm::LLVMContext context;
  context.setDiagnosticHandler(std::make_unique<DiagnosticSink>(message));
  WithoutStrengthReduction gate;
  context.setOptPassGate(gate);
  std::unique_ptr<llvm::Module> module = mlir::translateModuleToLLVMIR(source, context);
  if (!module)
    return internalError("the llvm dialect module does not translate to LLVM IR: " + message);

  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::unique_ptr<llvm::TargetMachine> machine(backend->createTargetMachine(
      triple, target.name, "+" + target.ptxVersion, {}, {}, {}, llvm::CodeGenOptLevel::Default));
  if (!machine)
    return internalError("LLVM makes no code for " + target.name);
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  markConvergent(*module);
  optimise(*module, *machine);

  Emitted code{.code = {}, .object = {}, .text = {}, .kernels = resourcesOf(source)};
  if (keep == "llvm") {
    llvm::raw_string_ostream stream(code.text);
    module->print(stream, nullptr);
    return code;
  }
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager emission;
  if (machine->addPassesToEmitFile(emission, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return internalError("LLVM's NVPTX backend prints no assembly");
  emission.run(*module);
  if (!message.empty())
    return internalError("LLVM: " + message);
  (keep == "ptx" ? code.text : code.code) = std::string(text);
  return code;
}

} // namespace sparsec
