// What lld's archive asks for and sparsec never uses, in the static preset alone: only link-time
// optimisation, of other objects than ours, would.
//
//   every target of LLVM   half of the static program; of X86 and NVPTX the real ones
//   Polly's plugin         Debian does not ship the archive that has it
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Plugins/PassPlugin.h"

llvm::PassPluginLibraryInfo getPollyPluginInfo();

llvm::PassPluginLibraryInfo getPollyPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "none", "0", [](llvm::PassBuilder &) {}};
}

// The lists name all targets; those of ours are defined under names that nobody asks for.
#define LLVMInitializeX86Target sparsecUnusedX86Target
#define LLVMInitializeX86TargetInfo sparsecUnusedX86TargetInfo
#define LLVMInitializeX86TargetMC sparsecUnusedX86TargetMC
#define LLVMInitializeX86AsmPrinter sparsecUnusedX86AsmPrinter
#define LLVMInitializeX86AsmParser sparsecUnusedX86AsmParser
#define LLVMInitializeNVPTXTarget sparsecUnusedNVPTXTarget
#define LLVMInitializeNVPTXTargetInfo sparsecUnusedNVPTXTargetInfo
#define LLVMInitializeNVPTXTargetMC sparsecUnusedNVPTXTargetMC
#define LLVMInitializeNVPTXAsmPrinter sparsecUnusedNVPTXAsmPrinter

extern "C" {
#define LLVM_TARGET(T)                                                                             \
  void LLVMInitialize##T##Target();                                                                \
  void LLVMInitialize##T##Target() {}                                                              \
  void LLVMInitialize##T##TargetInfo();                                                            \
  void LLVMInitialize##T##TargetInfo() {}                                                          \
  void LLVMInitialize##T##TargetMC();                                                              \
  void LLVMInitialize##T##TargetMC() {}
#include "llvm/Config/Targets.def"
#define LLVM_ASM_PRINTER(T)                                                                        \
  void LLVMInitialize##T##AsmPrinter();                                                            \
  void LLVMInitialize##T##AsmPrinter() {}
#include "llvm/Config/AsmPrinters.def"
#define LLVM_ASM_PARSER(T)                                                                         \
  void LLVMInitialize##T##AsmParser();                                                             \
  void LLVMInitialize##T##AsmParser() {}
#include "llvm/Config/AsmParsers.def"
}
