// A kernel of the cpu device written by hand, built as a shared object by the C++ compiler: what
// the device's own code is tested with where there is no LLVM (the asan preset), and a second
// opinion on the struct, the tables and the grid.
//
// f32, head dim 32, value dim 48, blocks of 16 x 16, causal and local(20), by tables. Ends the
// process when two calls at once are given one scratch, or one that is not aligned to 64 bytes.
#include "kernel/CpuCall.h"
#include "tests/verify/PlainArguments.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <set>

namespace {

using sparsec::testing::PlainArguments;

constexpr int kHeadDim = 32, kValueDim = 48, kBlock = 16;

struct Scratch {
  float score[kBlock];
};

/// The scratch of a call, marked as in use.
class ScratchInUse {
public:
  explicit ScratchInUse(void *memory) : memory(memory) {
    std::lock_guard lock(mutex);
    if (reinterpret_cast<uintptr_t>(memory) % 64 != 0 || !inUse.insert(memory).second)
      std::abort();
  }
  ~ScratchInUse() {
    std::lock_guard lock(mutex);
    inUse.erase(memory);
  }
  Scratch &operator*() const { return *static_cast<Scratch *>(memory); }

private:
  void *memory;
  static inline std::mutex mutex;
  static inline std::set<void *> inUse;
};

struct Row {
  const PlainArguments &arguments;
  int64_t batch, head, row;
  float maximum = -INFINITY, sum = 0;
  float out[kValueDim] = {};

  bool attends(int64_t key) const {
    int64_t behind = row + arguments.q0 - key;
    return key < arguments.n && 0 <= behind && behind < 20;
  }

  void add(int64_t firstKey, bool masked, float *score) {
    const PlainArguments &a = arguments;
    int64_t kvHead = head / a.headGroup;
    auto q = static_cast<const float *>(a.q) + batch * a.qStride[0] + head * a.qStride[1] +
             row * a.qStride[2];
    auto k = static_cast<const float *>(a.k) + batch * a.kStride[0] + kvHead * a.kStride[1];
    auto v = static_cast<const float *>(a.v) + batch * a.vStride[0] + kvHead * a.vStride[1];
    float before = maximum;
    for (int i = 0; i < kBlock; ++i) {
      score[i] = -INFINITY;
      if (masked && !attends(firstKey + i))
        continue;
      score[i] = 0;
      for (int d = 0; d < kHeadDim; ++d)
        score[i] += q[d] * k[(firstKey + i) * a.kStride[2] + d];
      score[i] *= a.scale;
      maximum = std::max(maximum, score[i]);
    }
    if (maximum == -INFINITY)
      return;
    float shrink = std::exp(before - maximum);
    sum *= shrink;
    for (float &value : out)
      value *= shrink;
    for (int i = 0; i < kBlock; ++i) {
      if (score[i] == -INFINITY)
        continue;
      float weight = std::exp(score[i] - maximum);
      sum += weight;
      for (int d = 0; d < kValueDim; ++d)
        out[d] += weight * v[(firstKey + i) * a.vStride[2] + d];
    }
  }

  void store() const {
    const PlainArguments &a = arguments;
    auto to = static_cast<float *>(a.out) + batch * a.outStride[0] + head * a.outStride[1] +
              row * a.outStride[2];
    for (int d = 0; d < kValueDim; ++d)
      to[d] = sum > 0 ? out[d] / sum : 0;
    if (a.lse)
      a.lse[batch * a.lseStride[0] + head * a.lseStride[1] + row] = maximum + std::log(sum);
  }
};

} // namespace

extern "C" {

extern const sparsec::KernelInfo plain_attention_info;
const sparsec::KernelInfo plain_attention_info{.scratchBytes = sizeof(Scratch),
                                               .level = "portable",
                                               .argumentBytes = sizeof(PlainArguments),
                                               .orderOffset = offsetof(PlainArguments, rowOrder)};

void plain_attention(const void *arguments, int32_t x, int32_t y, int32_t z, void *scratchMemory) {
  const PlainArguments &a = *static_cast<const PlainArguments *>(arguments);
  ScratchInUse scratch(scratchMemory);
  int64_t blockRow = a.rowOrder[y * a.layoutStride + x];
  const int32_t *offsets = a.blockOffsets + 2 * (y * int64_t{a.layoutStride} + blockRow);
  for (int64_t row = blockRow * kBlock; row < std::min<int64_t>(a.nq, (blockRow + 1) * kBlock);
       ++row) {
    Row result{
        .arguments = a, .batch = z, .head = a.headFirst + int64_t{y} * a.headStep, .row = row};
    for (int32_t i = offsets[0]; i < offsets[2]; ++i)
      result.add(int64_t{a.blockColumns[i]} * kBlock, i < offsets[1], (*scratch).score);
    result.store();
  }
}

extern const sparsec::KernelInfo slice_counter_info;
const sparsec::KernelInfo slice_counter_info{
    .level = "portable", .slices = 4, .argumentBytes = sizeof(sparsec::testing::SliceCounts)};

/// Counts its calls: of a whole row, and of each slice.
void slice_counter(const void *arguments, int32_t x, int32_t, int32_t, void *) {
  auto *counts = static_cast<const sparsec::testing::SliceCounts *>(arguments);
  counts->calls[x >> sparsec::kSliceShift].fetch_add(1);
  if (std::this_thread::get_id() != counts->launching)
    counts->others->fetch_add(1);
}

} // extern "C"
