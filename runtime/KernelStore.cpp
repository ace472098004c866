#include "runtime/KernelStore.h"

#include "runtime/cpu/HostCpu.h"

#include <charconv>
#include <fmt/format.h>

namespace sparsec {

std::string storeKey(const Request &request, const std::string &version) {
  std::string level = request.target().level == "host" ? std::string(hostLevel()) : "";
  return fmt::format("{}\n{}host {}\n", version, request.text(), level);
}

std::string kernelsToBytes(const std::vector<Kernel> &kernels) {
  std::string all = fmt::format("{}\n", kernels.size());
  for (const Kernel &kernel : kernels) {
    std::string bytes = toBytes(kernel);
    all += fmt::format("{}\n", bytes.size()) + bytes;
  }
  return all;
}

Result<std::vector<Kernel>> kernelsFromBytes(std::string_view bytes) {
  Error cut = inputError("expected stored kernels, found other bytes");
  auto number = [&]() -> std::optional<size_t> {
    size_t value = 0;
    auto [end, failure] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), value);
    if (failure != std::errc() || end == bytes.data() + bytes.size() || *end != '\n')
      return std::nullopt;
    bytes.remove_prefix(static_cast<size_t>(end - bytes.data()) + 1);
    return value;
  };
  std::optional<size_t> count = number();
  std::vector<Kernel> kernels;
  for (size_t i = 0; count && i < *count; ++i) {
    std::optional<size_t> size = number();
    if (!size || *size > bytes.size())
      return cut;
    Result<Kernel> kernel = kernelFromBytes(bytes.substr(0, *size));
    if (!kernel)
      return kernel.error();
    kernels.push_back(std::move(*kernel));
    bytes.remove_prefix(*size);
  }
  if (!count || !bytes.empty())
    return cut;
  return kernels;
}

Result<KernelStore::Kernels> KernelStore::make(const Request &request, const std::string &key) {
  std::optional<std::vector<Kernel>> fresh; // compiled here: it need not be read back
  auto compiled = [&]() -> Result<std::string> {
    Result<std::vector<Kernel>> kernels = compile(request);
    if (!kernels)
      return kernels.error();
    fresh = std::move(*kernels);
    return disk ? kernelsToBytes(*fresh) : "";
  };
  Result<std::string> bytes =
      disk ? disk->take("kernels",
                        fmt::format("{} for {}\n{}", request.entry(), request.target().name, key),
                        compiled)
           : compiled();
  if (!bytes)
    return bytes.error();
  if (!fresh) {
    Result<std::vector<Kernel>> read = kernelsFromBytes(*bytes);
    if (!read)
      return read.error();
    fresh = std::move(*read);
  }
  return std::make_shared<const std::vector<Kernel>>(*std::move(fresh));
}

Result<KernelStore::Kernels> KernelStore::kernels(const Request &request) {
  std::string key = storeKey(request, version);
  std::promise<Result<Kernels>> promise;
  {
    std::unique_lock lock(mutex);
    if (auto found = stored.find(key); found != stored.end()) {
      std::shared_future<Result<Kernels>> made = found->second;
      lock.unlock();
      return made.get(); // waits where another thread makes them now
    }
    stored.emplace(key, promise.get_future().share());
  }
  struct Forget { // what failed, or was thrown out of
    KernelStore &store;
    const std::string &key;
    bool isMade = false;
    ~Forget() {
      if (isMade)
        return;
      std::lock_guard lock(store.mutex);
      store.stored.erase(key);
    }
  } forget{*this, key};
  Result<Kernels> made = make(request, key);
  forget.isMade = bool(made);
  promise.set_value(made);
  return made;
}

} // namespace sparsec
