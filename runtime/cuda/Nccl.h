// Sums over the GPUs of several processes by NCCL, which is opened at run time: libnccl.so.2.
//
//   Nccl nccl = *Nccl::open();                  an error says what is missing
//   NcclId id = *nccl.makeId();                 in one process; the others are told
//   nccl.join(id, rank, count);                 all together, each with its device's context current
//   nccl.sum(address, elements);                f32 in place, on the default stream
//
// The same bits for the same number of processes on the same machine.
#pragma once

#include "runtime/Device.h"
#include "runtime/cuda/Library.h"

namespace sparsec {

/// ncclUniqueId, as nccl.h has it.
struct NcclId {
  std::array<char, 128> bytes = {};
};

class Nccl {
public:
  static Result<Nccl> open();
  Nccl(Nccl &&other) noexcept;
  Nccl &operator=(Nccl &&) = delete;
  ~Nccl();

  Result<NcclId> makeId() const;
  Result<void> join(const NcclId &id, int rank, int count);
  Result<void> sum(DeviceAddress values, int64_t elements) const;

private:
  using Status = int; ///< ncclResult_t: 0 is success
  using Communicator = struct NcclCommunicator *;
  explicit Nccl(Library library) : library(std::move(library)) {}
  Result<void> check(const char *call, Status status) const;

  Library library;
  Communicator communicator = nullptr;
  Status (*getUniqueId)(NcclId *) = nullptr;
  Status (*initRank)(Communicator *, int count, NcclId id, int rank) = nullptr;
  Status (*allReduce)(const void *from, void *to, size_t count, int type, int operation,
                      Communicator, void *stream) = nullptr;
  Status (*destroy)(Communicator) = nullptr;
  const char *(*errorString)(Status) = nullptr;
};

} // namespace sparsec
