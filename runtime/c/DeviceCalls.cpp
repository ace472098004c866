// Devices of the C interface.
#include "kernel/CompilerStamp.h"
#include "runtime/DiskStore.h"
#include "runtime/c/Boundary.h"

#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace sparsec {
namespace {

/// "cuda:1" as cuda and 1.
Result<std::pair<std::string, int>> nameAndOrdinal(std::string_view text) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return std::pair(std::string(text), 0);
  int ordinal = 0;
  const char *end = text.data() + text.size();
  auto [at, failure] = std::from_chars(text.data() + colon + 1, end, ordinal);
  if (failure != std::errc() || at != end || ordinal < 0 || text.substr(0, colon) != "cuda")
    return inputError(
        fmt::format("device: expected cpu, cuda, cuda:I or sim, found {}", quote(text)));
  return std::pair(std::string(text.substr(0, colon)), ordinal);
}

Result<void> openHandle(const char *name, const sparsec_device_options *given,
                        sparsec_device **out) {
  if (auto ok = expectPointer(name, "name"); !ok)
    return ok;
  if (auto ok = expectPointer(out, "device"); !ok)
    return ok;
  sparsec_device_options zero = {sizeof zero, 0};
  auto options = versioned(given ? given : &zero, "options");
  if (!options)
    return options.error();
  if (options->threads < 0 || options->threads > 4096)
    return inputError(
        fmt::format("options.threads: expected 0 to 4096, found {}", options->threads));
  auto named = nameAndOrdinal(name);
  if (!named)
    return named.error();
  auto disk = openEnvironmentStore(
      [](const std::string &text) { fmt::print(stderr, "sparsec: warning: {}\n", text); });
  auto device = openDevice(named->first,
                           {.threads = options->threads, .ordinal = named->second, .store = disk});
  if (!device)
    return device.error();
  auto handle = std::make_unique<sparsec_device>();
  handle->device = std::move(*device);
  auto compiler = std::make_shared<OpenCompiler>();
  handle->store = std::make_shared<KernelStore>(
      [compiler](const Request &request) { return compiler->compile(request); }, compilerStamp(),
      disk);
  if (named->first == "cuda")
    handle->dlpackType = SPARSEC_DL_CUDA;
  if (named->first == "sim")
    handle->dlpackType = SPARSEC_DL_SIM;
  handle->dlpackId = named->second;
  *out = handle.release();
  return {};
}

DeviceAddress addressOf(const void *pointer) {
  return reinterpret_cast<DeviceAddress>(pointer);
}

} // namespace
} // namespace sparsec

using namespace sparsec;

extern "C" {

sparsec_status sparsec_open_device(const char *name, const sparsec_device_options *options,
                                   sparsec_device **device) {
  return guarded([&] { return openHandle(name, options, device); });
}

void sparsec_release_device(sparsec_device *device) {
  delete device;
}

sparsec_status sparsec_describe_device(const sparsec_device *device, char **json) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(device, "device"); !ok)
      return ok;
    if (auto ok = expectPointer(json, "json"); !ok)
      return ok;
    nlohmann::ordered_json out = {{"name", device->device->name()},
                                  {"description", device->device->description()},
                                  {"target", targetOf(*device->device).name},
                                  {"dlpack_type", device->dlpackType},
                                  {"dlpack_id", device->dlpackId}};
    return giveText(out.dump(), json);
  });
}

sparsec_status sparsec_allocate(sparsec_device *device, size_t bytes, void **address) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(device, "device"); !ok)
      return ok;
    if (auto ok = expectPointer(address, "address"); !ok)
      return ok;
    Result<DeviceAddress> allocated = device->device->allocate(bytes);
    if (!allocated)
      return allocated.error();
    *address = reinterpret_cast<void *>(*allocated);
    return {};
  });
}

sparsec_status sparsec_free(sparsec_device *device, void *address) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(device, "device"); !ok)
      return ok;
    return address ? device->device->free(addressOf(address)) : Result<void>();
  });
}

sparsec_status sparsec_copy_to_device(sparsec_device *device, void *to, const void *from,
                                      size_t bytes) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(device, "device"); !ok)
      return ok;
    if (bytes == 0)
      return {};
    if (auto ok = expectPointer(to, "to"); !ok)
      return ok;
    if (auto ok = expectPointer(from, "from"); !ok)
      return ok;
    return device->device->copyToDevice(addressOf(to), from, bytes);
  });
}

sparsec_status sparsec_copy_to_host(sparsec_device *device, void *to, const void *from,
                                    size_t bytes) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(device, "device"); !ok)
      return ok;
    if (bytes == 0)
      return {};
    if (auto ok = expectPointer(to, "to"); !ok)
      return ok;
    if (auto ok = expectPointer(from, "from"); !ok)
      return ok;
    return device->device->copyToHost(to, addressOf(from), bytes);
  });
}

sparsec_status sparsec_synchronize(sparsec_device *device) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(device, "device"); !ok)
      return ok;
    return device->device->synchronize();
  });
}
}
