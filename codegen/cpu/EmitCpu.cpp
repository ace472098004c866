#include "codegen/cpu/EmitCpu.h"

#include "codegen/LlvmPasses.h"
#include "codegen/cpu/CheckProgram.h"
#include "codegen/cpu/Link.h"
#include "codegen/cpu/emit/Emitter.h"
#include "codegen/cpu/products/Products.h"
#include "kernel/CpuCall.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/ADCE.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <fmt/format.h>

extern "C" {
void LLVMInitializeX86TargetInfo();
void LLVMInitializeX86Target();
void LLVMInitializeX86TargetMC();
void LLVMInitializeX86AsmPrinter();
}

namespace sparsec {
namespace {

constexpr const char *kTriple = "x86_64-unknown-linux-gnu";

/// LLVM's registry of targets lives as long as the process; ours goes in once.
const llvm::Target *x86(std::string &error) {
  static const bool registered = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  (void)registered;
  return llvm::TargetRegistry::lookupTarget(llvm::Triple(kTriple), error);
}

/// What the emitter leaves to LLVM: equal addresses computed once, loop invariants out of the
/// loops, dead code.
void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/false));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()),
                                                       /*UseMemorySSA=*/true));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/false));
  passes.addPass(llvm::ADCEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  runPasses(module, machine, std::move(passes));
}

/// Leaves out strength reduction, an eighth of a compile: the loops of register tiles step their
/// own addresses (emit/Products.cpp), and other loops gain little.
class WithoutStrengthReduction : public llvm::OptPassGate {
public:
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef) const override {
    return pass != "Loop Strength Reduction";
  }
  bool isEnabled() const override { return true; }
};

/// KernelInfo, where the runtime looks for it.
void addInfo(llvm::Module &module, tile::KernelOp kernel, const cpu::KernelEmitter &emitter,
             const cpu::Level &level) {
  llvm::LLVMContext &context = module.getContext();
  KernelInfo info;
  info.scratchBytes = emitter.scratchBytes();
  info.slices = emitter.plan.slices.count;
  info.longestFirst = gridOf(kernel).longest == Grid::Longest::First;
  info.argumentBytes = emitter.signature().bytes();
  if (const Field *order = emitter.signature().find("row_order"))
    info.orderOffset = order->offset;
  std::snprintf(info.level, sizeof info.level, "%s", level.name);
  llvm::StringRef bytes(reinterpret_cast<const char *>(&info), sizeof info);
  llvm::Constant *value = llvm::ConstantDataArray::getString(context, bytes, /*AddNull=*/false);
  auto *global = new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                          llvm::GlobalValue::ExternalLinkage, value,
                                          kernel.getSymName() + "_info");
  global->setAlignment(llvm::Align(8));
}

Result<std::string> emitFile(llvm::Module &module, llvm::TargetMachine &machine,
                             llvm::CodeGenFileType type) {
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager emission;
  if (machine.addPassesToEmitFile(emission, stream, nullptr, type))
    return internalError("LLVM's x86 backend emits no files");
  emission.run(module);
  return std::string(bytes);
}

} // namespace

Result<Emitted> emitCpu(mlir::ModuleOp source, const Target &target, std::string_view keep) {
  Result<cpu::Level> level = cpu::findLevel(target.level);
  if (!level)
    return level.error();
  std::string message;
  const llvm::Target *backend = x86(message);
  if (!backend)
    return internalError("LLVM has no x86 backend: " + message);
  llvm::Triple triple(kTriple);
  // LLVM's O1: as fast as its default in these kernels, and sooner done.
  std::unique_ptr<llvm::TargetMachine> machine(
      backend->createTargetMachine(triple, level->processor, level->features, {}, llvm::Reloc::PIC_,
                                   {}, llvm::CodeGenOptLevel::Less));
  llvm::LLVMContext context;
  WithoutStrengthReduction gate;
  context.setOptPassGate(gate);
  llvm::Module module("sparsec", context);
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);

  Emitted code;
  for (auto kernel : source.getOps<tile::KernelOp>()) {
    if (failed(cpu::checkProgram(kernel)))
      return inputError(fmt::format("'{}' has no CPU code", kernel.getSymName().str()));
    std::unique_ptr<const cpu::Plan> plan = cpu::makePlan(kernel, *level);
    if (keep == "plan") {
      code.text += (code.text.empty() ? "" : "\n") + print(*plan);
      continue;
    }
    cpu::KernelEmitter emitter(*plan, module);
    if (failed(emitter.run()))
      return inputError(fmt::format("'{}' has no CPU code", kernel.getSymName().str()));
    addInfo(module, kernel, emitter, *level);
    code.kernels.push_back({.entry = kernel.getSymName().str(),
                            .threads = 1,
                            .scratchBytes = emitter.scratchBytes(),
                            .usesAmx = plan->has(cpu::kAmx) && !level->emulated});
  }
  if (keep == "plan")
    return code;
  llvm::raw_string_ostream complaints(message);
  if (llvm::verifyModule(module, &complaints))
    return internalError("wrong LLVM IR: " + message);
  optimise(module, *machine);
  if (keep == "llvm") {
    llvm::raw_string_ostream stream(code.text);
    module.print(stream, nullptr);
    return code;
  }
  if (keep == "asm") {
    auto text = emitFile(module, *machine, llvm::CodeGenFileType::AssemblyFile);
    if (!text)
      return text.error();
    code.text = std::move(*text);
    return code;
  }
  auto object = emitFile(module, *machine, llvm::CodeGenFileType::ObjectFile);
  if (!object)
    return object.error();
  code.object = std::move(*object);
  auto shared = cpu::linkSharedObject(code.object);
  if (!shared)
    return shared.error();
  code.code = std::move(*shared);
  return code;
}

} // namespace sparsec
