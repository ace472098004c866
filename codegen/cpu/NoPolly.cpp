// Debian's libLLVMLTO.a, which lld's archive wants, names Polly's plugin; the archive that has it
// is not shipped. Only link-time optimisation would ask for it, and sparsec links finished objects.
// In the static preset alone: libLLVM.so needs nothing of the kind.
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Plugins/PassPlugin.h"

llvm::PassPluginLibraryInfo getPollyPluginInfo();

llvm::PassPluginLibraryInfo getPollyPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "none", "0", [](llvm::PassBuilder &) {}};
}
