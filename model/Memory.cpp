#include "model/Memory.h"

#include <algorithm>
#include <numeric>

namespace sparsec {

namespace {

std::vector<Lifetime> lifetimesOf(size_t buffers, std::span<const std::vector<Use>> usesOfCalls) {
  std::vector<Lifetime> lifetimes(buffers);
  for (size_t call = 0; call < usesOfCalls.size(); ++call)
    for (const Use &use : usesOfCalls[call]) {
      if (!use.matrix)
        continue;
      Lifetime &life = lifetimes[static_cast<size_t>(use.matrix.buffer)];
      if (!life.isUsed())
        life.first = static_cast<int>(call);
      life.last = static_cast<int>(call);
    }
  return lifetimes;
}

/// Most bytes that are alive at once.
int64_t mostAlive(std::span<const BufferInfo> buffers, const std::vector<Lifetime> &lifetimes,
                  size_t calls) {
  std::vector<int64_t> change(calls + 1);
  for (size_t i = 0; i < buffers.size(); ++i)
    if (buffers[i].kind == BufferKind::Passing && lifetimes[i].isUsed()) {
      change[static_cast<size_t>(lifetimes[i].first)] += alignedBytes(buffers[i].bytes);
      change[static_cast<size_t>(lifetimes[i].last) + 1] -= alignedBytes(buffers[i].bytes);
    }
  int64_t alive = 0, most = 0;
  for (int64_t each : change)
    most = std::max(most, alive += each);
  return most;
}

} // namespace

int64_t alignedBytes(int64_t bytes) {
  return (bytes + kBufferAlign - 1) / kBufferAlign * kBufferAlign;
}

int bytes(ElementType type) {
  switch (type) {
  case ElementType::BF16:
  case ElementType::F16:
    return 2;
  case ElementType::I64:
    return 8;
  case ElementType::F32:
  case ElementType::I32:
    return 4;
  }
  return 4;
}

ElementType elementOf(DType dtype) {
  switch (dtype) {
  case DType::BF16:
    return ElementType::BF16;
  case DType::F16:
    return ElementType::F16;
  case DType::F32:
    return ElementType::F32;
  }
  return ElementType::F32;
}

BufferView BufferView::slice(int64_t first, int64_t count) const {
  BufferView part = *this;
  part.offset += first * sparsec::bytes(type);
  part.columns = count;
  return part;
}

MemoryPlan planMemory(std::span<const BufferInfo> buffers,
                      std::span<const std::vector<Use>> usesOfCalls) {
  MemoryPlan plan{.offsets = std::vector<int64_t>(buffers.size(), -1),
                  .lifetimes = lifetimesOf(buffers.size(), usesOfCalls)};
  plan.lowerBound = mostAlive(buffers, plan.lifetimes, usesOfCalls.size());
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](size_t i) { return buffers[i].bytes; });
  std::vector<size_t> placed;
  for (size_t i : order) {
    const BufferInfo &buffer = buffers[i];
    if (buffer.kind == BufferKind::Kept) {
      plan.keptBytes += alignedBytes(buffer.bytes);
      continue;
    }
    if (!plan.lifetimes[i].isUsed())
      continue;
    std::vector<size_t> beside;
    for (size_t other : placed)
      if (plan.lifetimes[other].meets(plan.lifetimes[i]))
        beside.push_back(other);
    std::ranges::sort(beside, {}, [&](size_t other) { return plan.offsets[other]; });
    int64_t at = 0, size = alignedBytes(buffer.bytes);
    for (size_t other : beside) {
      if (at + size <= plan.offsets[other])
        break;
      at = std::max(at, plan.offsets[other] + alignedBytes(buffers[other].bytes));
    }
    plan.offsets[i] = at;
    placed.push_back(i);
    plan.arenaBytes = std::max(plan.arenaBytes, at + size);
  }
  return plan;
}

} // namespace sparsec
