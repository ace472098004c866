#include "runtime/cpu/HostCpu.h"

#include "kernel/CpuCall.h"

#include <fstream>
#include <sched.h>
#include <thread>

namespace sparsec {

static bool hasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("f16c") && __builtin_cpu_supports("lzcnt");
}
static bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

bool hostRunsLevel(std::string_view level) {
  if (level == "portable")
    return true;
  if (level == "avx2" || level == "shape512" || level == "shapeamx") // the shapes: for tests
    return hasAvx2();
  if (level == "avx512")
    return hasAvx512();
  if (level == "avx512bf16")
    return hasAvx512() && __builtin_cpu_supports("avx512bf16");
  return level == "amx" && hostRunsLevel("avx512bf16") && __builtin_cpu_supports("amx-tile") &&
         __builtin_cpu_supports("amx-bf16") && mayUseAmx();
}

std::string_view hostLevel() {
  for (std::string_view level : {"amx", "avx512bf16", "avx512", "avx2"})
    if (hostRunsLevel(level))
      return level;
  return "portable";
}

std::string hostProcessor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (size_t at = line.find(": "); at != std::string::npos)
        return line.substr(at + 2);
  return "x86-64";
}

int hostThreads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return CPU_COUNT(&set);
  return std::max(1u, std::thread::hardware_concurrency());
}

} // namespace sparsec
