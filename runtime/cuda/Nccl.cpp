#include "runtime/cuda/Nccl.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr int kFloat32 = 7, kSum = 0; // of nccl.h

} // namespace

Result<Nccl> Nccl::open() {
  const std::string name = "libnccl.so.2";
  Result<Library> library = Library::open({&name, 1});
  if (!library) {
    Error error = library.error();
    error.message = name + " is not found: it adds the gradients of several GPUs";
    return error;
  }
  Nccl made(std::move(*library));
  const char *missing = !made.library.bind(made.getUniqueId, "ncclGetUniqueId") ? "ncclGetUniqueId"
                        : !made.library.bind(made.initRank, "ncclCommInitRank") ? "ncclCommInitRank"
                        : !made.library.bind(made.allReduce, "ncclAllReduce")   ? "ncclAllReduce"
                        : !made.library.bind(made.destroy, "ncclCommDestroy")   ? "ncclCommDestroy"
                        : !made.library.bind(made.errorString, "ncclGetErrorString")
                            ? "ncclGetErrorString"
                            : nullptr;
  if (missing)
    return machineError(fmt::format("{}: has no {}", name, missing));
  return made;
}

Nccl::Nccl(Nccl &&other) noexcept
    : library(std::move(other.library)), communicator(std::exchange(other.communicator, nullptr)),
      getUniqueId(other.getUniqueId), initRank(other.initRank), allReduce(other.allReduce),
      destroy(other.destroy), errorString(other.errorString) {}

Nccl::~Nccl() {
  if (communicator)
    destroy(communicator);
}

Result<void> Nccl::check(const char *call, Status status) const {
  if (status == 0)
    return {};
  return machineError(fmt::format("{}: {}", call, errorString(status)));
}

Result<NcclId> Nccl::makeId() const {
  NcclId id;
  if (Result<void> did = check("ncclGetUniqueId", getUniqueId(&id)); !did)
    return did.error();
  return id;
}

Result<void> Nccl::join(const NcclId &id, int rank, int count) {
  return check("ncclCommInitRank", initRank(&communicator, count, id, rank));
}

Result<void> Nccl::sum(DeviceAddress values, int64_t elements) const {
  auto *memory = reinterpret_cast<void *>(values);
  return check("ncclAllReduce", allReduce(memory, memory, static_cast<size_t>(elements), kFloat32,
                                          kSum, communicator, nullptr));
}

} // namespace sparsec
