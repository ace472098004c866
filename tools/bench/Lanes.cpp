#include "tools/bench/Lanes.h"

namespace sparsec {

int lanesOfThisCpu() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return 16;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return 8;
#endif
  return 4;
}

const char *nameOfLanes(int lanes) {
  return lanes == 16 ? "AVX-512" : lanes == 8 ? "AVX2 and FMA" : "vectors of 4";
}

bool hasBf16Dot() {
#ifdef __x86_64__
  return lanesOfThisCpu() == 16 && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

} // namespace sparsec
