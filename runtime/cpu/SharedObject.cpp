#include "runtime/cpu/SharedObject.h"

#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

namespace sparsec {

Result<std::shared_ptr<SharedObject>> SharedObject::open(const std::string &bytes) {
  std::shared_ptr<SharedObject> made(new SharedObject);
  made->descriptor = memfd_create("sparsec-kernel", MFD_CLOEXEC);
  if (made->descriptor < 0)
    return machineError(fmt::format("memfd_create: {}", std::strerror(errno)));
  for (size_t done = 0; done < bytes.size();) {
    ssize_t wrote = write(made->descriptor, bytes.data() + done, bytes.size() - done);
    if (wrote <= 0)
      return machineError(fmt::format("writing a kernel to memory: {}", std::strerror(errno)));
    done += size_t(wrote);
  }
  std::string path = fmt::format("/proc/self/fd/{}", made->descriptor);
  made->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!made->handle)
    return inputError(fmt::format("not a shared object that opens here: {}", dlerror()));
  return made;
}

SharedObject::~SharedObject() {
  if (handle)
    dlclose(handle);
  if (descriptor >= 0)
    close(descriptor);
}

void *SharedObject::symbol(const std::string &name) const {
  return dlsym(handle, name.c_str());
}

} // namespace sparsec
