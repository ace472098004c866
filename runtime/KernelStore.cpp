#include "runtime/KernelStore.h"

#include "runtime/cpu/HostCpu.h"

#include <fmt/format.h>

namespace sparsec {

std::string storeKey(const Request &request, const std::string &version) {
  std::string level = request.target().level == "host" ? std::string(hostLevel()) : "";
  return fmt::format("{}\n{}host {}\n", version, request.text(), level);
}

Result<std::shared_ptr<const std::vector<Kernel>>> KernelStore::kernels(const Request &request) {
  std::string key = storeKey(request, version);
  {
    std::lock_guard lock(mutex);
    if (auto found = stored.find(key); found != stored.end())
      return found->second;
  }
  Result<std::vector<Kernel>> compiled = compile(request);
  if (!compiled)
    return compiled.error();
  auto kernels = std::make_shared<const std::vector<Kernel>>(std::move(*compiled));
  std::lock_guard lock(mutex);
  return stored.emplace(std::move(key), std::move(kernels)).first->second;
}

} // namespace sparsec
