// Attention on a device, by what was asked for: its kernels are compiled and loaded at the first
// use, found at every later one in about a microsecond.
//
//   KernelCache kernels(device, store);
//   Result<std::shared_ptr<Attention>> a = kernels.attention({request});   compiles and loads
//   Result<std::shared_ptr<Attention>> b = kernels.attention({request});   the same one
//
// Two requests are the same when every field is, the predicate by structure. Nothing is ever given
// up. Safe to use from several threads; two that ask for the same new kernel at once may both
// compile it, and get the one that was first. (An Attention itself is for one thread at a time.)
#pragma once

#include "runtime/Attention.h"
#include "runtime/KernelStore.h"

#include <mutex>
#include <unordered_map>

namespace sparsec {

class KernelCache {
public:
  /// Must not outlive the device and the store.
  KernelCache(Device &device, KernelStore &store) : device(device), store(store) {}

  /// The parts of one entry (chooseSchedule()).
  Result<std::shared_ptr<Attention>> attention(const std::vector<AttentionRequest> &parts);

private:
  struct Entry {
    std::vector<AttentionRequest> parts;
    std::shared_ptr<Attention> attention;
  };
  std::shared_ptr<Attention> find(size_t hash, const std::vector<AttentionRequest> &parts) const;

  Device &device;
  KernelStore &store;
  mutable std::mutex mutex;
  std::unordered_multimap<size_t, Entry> entries;
};

} // namespace sparsec
