#include "runtime/cuda/Library.h"

#include <dlfcn.h>

namespace sparsec {

Result<Library> Library::open(std::span<const std::string> candidates) {
  Error error = machineError("no such library");
  for (const std::string &candidate : candidates) {
    if (void *handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL))
      return Library(handle);
    const char *reason = dlerror();
    error.notes.push_back(reason ? reason : candidate);
  }
  return error;
}

// Never closed: NVRTC and the driver leave threads and exit handlers behind that a dlclose would
// pull the code from under.
Library::~Library() = default;

void *Library::find(const char *symbol) const {
  return handle ? dlsym(handle, symbol) : nullptr;
}

std::string Library::path(const char *symbol) const {
  Dl_info info = {};
  void *address = find(symbol);
  return address && dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

} // namespace sparsec
