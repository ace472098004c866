#include "model/GradientSum.h"

namespace sparsec {

Result<GradientSum> GradientSum::open(Device &device, std::shared_ptr<Processes> processes) {
  GradientSum made;
  made.device = &device;
  made.processes = std::move(processes);
  if (!made.processes || made.processes->count() == 1 || device.name() != "cuda")
    return made;
  Result<Nccl> nccl = Nccl::open();
  if (!nccl)
    return nccl.error();
  made.nccl = std::make_unique<Nccl>(std::move(*nccl));
  NcclId id;
  if (made.processes->rank() == 0) {
    Result<NcclId> fresh = made.nccl->makeId();
    if (!fresh)
      return fresh.error();
    id = *fresh;
  }
  if (Result<void> told = made.processes->broadcast(std::as_writable_bytes(std::span(id.bytes)));
      !told)
    return told.error();
  if (Result<void> joined = made.nccl->join(id, made.processes->rank(), made.processes->count());
      !joined)
    return joined.error();
  return made;
}

Result<void> GradientSum::sum(DeviceAddress values, int64_t elements) {
  if (!processes || processes->count() == 1)
    return {};
  if (nccl) { // on a stream of its own
    if (Result<void> done = device->synchronize(); !done)
      return done;
    if (Result<void> added = nccl->sum(values, elements); !added)
      return added;
    return device->synchronize();
  }
  host.resize(static_cast<size_t>(elements));
  std::span<float> all(host);
  if (Result<void> got = device->copyToHost(all.data(), values, all.size_bytes()); !got)
    return got;
  if (Result<void> added = processes->sum(all); !added)
    return added;
  return device->copyToDevice(values, all.data(), all.size_bytes());
}

} // namespace sparsec
