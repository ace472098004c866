// What devices share: the host's memory, unless they have their own.
#include "runtime/Device.h"

#include <fstream>
#include <sys/resource.h>

namespace sparsec {

namespace {
constexpr int64_t kKilobyte = 1024;
} // namespace

Result<int64_t> Device::peakBytes() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * kKilobyte;
}

Result<int64_t> Device::freeBytes() {
  std::ifstream file("/proc/meminfo"); // MemAvailable: what is free, and what caches would give up
  int64_t kilobytes = 0;
  for (std::string word; file >> word;)
    if (word == "MemAvailable:" && file >> kilobytes)
      return kilobytes * kKilobyte;
  return machineError("/proc/meminfo does not say how much memory is free");
}

} // namespace sparsec
