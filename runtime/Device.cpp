// What devices share: the host's memory, unless they have their own.
#include "runtime/Device.h"

#include <fstream>

namespace sparsec {

Result<int64_t> Device::freeBytes() {
  std::ifstream file("/proc/meminfo"); // MemAvailable: what is free, and what caches would give up
  int64_t kilobytes = 0;
  for (std::string word; file >> word;)
    if (word == "MemAvailable:" && file >> kilobytes) {
      constexpr int64_t kKilobyte = 1024;
      return kilobytes * kKilobyte;
    }
  return machineError("/proc/meminfo does not say how much memory is free");
}

} // namespace sparsec
