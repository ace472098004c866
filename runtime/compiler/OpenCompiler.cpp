#include "runtime/compiler/OpenCompiler.h"

#include "kernel/CompilerStamp.h"

#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>

namespace sparsec {

static constexpr std::string_view kFile = "libsparsec-compiler.so";

/// Beside the library or program that this function is in.
static std::string pathOfCompiler() {
  if (const char *named = std::getenv("SPARSEC_COMPILER"); named && *named)
    return named;
  Dl_info here = {};
  std::string own = dladdr(reinterpret_cast<void *>(pathOfCompiler), &here) && here.dli_fname
                        ? here.dli_fname
                        : "";
  size_t slash = own.rfind('/');
  return slash == std::string::npos ? std::string(kFile)
                                    : own.substr(0, slash + 1) + std::string(kFile);
}

Result<const CompilerInterface *> OpenCompiler::open() {
  std::lock_guard lock(mutex);
  if (interface)
    return interface;
  std::string path = pathOfCompiler();
  // RTLD_LOCAL: its LLVM is nobody else's.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return machineError(fmt::format("the compiler cannot be opened: {}", dlerror()));
  auto entry = reinterpret_cast<CompilerEntry>(dlsym(library, kCompilerEntry));
  if (!entry)
    return machineError(fmt::format("{} is no compiler of sparsec", path));
  const CompilerInterface *found = entry();
  if (std::string_view(found->stamp) != compilerStamp())
    return machineError(fmt::format("{} is the compiler of another build ({}), and this is {}",
                                    path, found->stamp, compilerStamp()));
  interface = found;
  return interface;
}

Result<std::vector<Kernel>> OpenCompiler::compile(const Request &request) {
  Result<const CompilerInterface *> compiler = open();
  if (!compiler)
    return compiler.error();
  return (*compiler)->compile(request);
}

} // namespace sparsec
