// The arguments of attention forward as a C struct, for kernels that are written by hand: the
// oracle's and PlainKernel.cpp's. Compiled kernels have Signatures of their own; hosts know only
// names, so that these are launched as those are.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace sparsec::testing {

struct PlainArguments {
  const void *q = nullptr;
  const void *k = nullptr;
  const void *v = nullptr;
  void *out = nullptr;
  float *lse = nullptr;
  const int32_t *blockOffsets = nullptr;
  const int32_t *blockColumns = nullptr;
  const int32_t *rowOrder = nullptr;
  int64_t qStride[3] = {};
  int64_t kStride[3] = {};
  int64_t vStride[3] = {};
  int64_t outStride[3] = {};
  int64_t lseStride[2] = {};
  int32_t n = 0, nq = 0, q0 = 0;
  int32_t headFirst = 0, headStep = 1;
  int32_t headGroup = 1;
  int32_t layoutStride = 0;
  float scale = 0;
};

/// Of slice_counter (PlainKernel.cpp): its calls, by 0 for a whole row or the number of a slice,
/// and those by other threads than one.
struct SliceCounts {
  std::atomic<int> *calls = nullptr, *others = nullptr;
  std::thread::id launching;
};

} // namespace sparsec::testing
