#include "runtime/KernelCache.h"

#include <algorithm>

namespace sparsec {

namespace {

size_t mixed(size_t hash, size_t value) {
  return (hash ^ value) * 0x9E3779B97F4A7C15 + (hash >> 29);
}

size_t hashOf(const Expr &expr, size_t hash) {
  hash = mixed(hash, static_cast<size_t>(expr->op));
  hash = mixed(hash, static_cast<size_t>(expr->value));
  for (const Expr &operand : expr->operands)
    hash = hashOf(operand, hash);
  return hash;
}

size_t hashOf(const AttentionRequest &request) {
  size_t hash = std::hash<std::string>()(request.entry);
  for (int value : {static_cast<int>(request.dtype), request.headDim, request.valueDim,
                    request.block.q, request.block.k})
    hash = mixed(hash, static_cast<size_t>(value));
  return hashOf(request.attend, mixed(hash, std::hash<std::string>()(request.target.name)));
}

size_t hashOf(const std::vector<AttentionRequest> &parts) {
  size_t hash = parts.size();
  for (const AttentionRequest &part : parts)
    hash = mixed(hash, hashOf(part));
  return hash;
}

bool same(const AttentionRequest &a, const AttentionRequest &b) {
  // By structure, so that a new field does not go unnoticed: it has to be compared here.
  const auto &[entry, attend, queryOrder, keyOrder, part, dtype, headDim, valueDim, block, target] =
      a;
  return queryOrder == b.queryOrder && keyOrder == b.keyOrder && part == b.part &&
         entry == b.entry && dtype == b.dtype && headDim == b.headDim && valueDim == b.valueDim &&
         block == b.block && target == b.target && equal(attend, b.attend);
}

} // namespace

std::shared_ptr<Attention> KernelCache::find(size_t hash,
                                             const std::vector<AttentionRequest> &parts) const {
  auto [begin, end] = entries.equal_range(hash);
  for (auto each = begin; each != end; ++each)
    if (std::ranges::equal(each->second.parts, parts, same))
      return each->second.attention;
  return nullptr;
}

Result<std::shared_ptr<Attention>>
KernelCache::attention(const std::vector<AttentionRequest> &requests) {
  size_t hash = hashOf(requests);
  {
    std::lock_guard lock(mutex);
    if (auto found = find(hash, requests))
      return found;
  }
  std::vector<AttentionPart> parts;
  for (const AttentionRequest &request : requests) {
    auto kernels = store.kernels(request);
    if (!kernels)
      return kernels.error();
    Result<Kernel> kernel = single(**kernels);
    if (!kernel)
      return kernel.error();
    parts.push_back({std::move(*kernel), request});
  }
  Result<Attention> loaded = Attention::load(device, std::move(parts));
  if (!loaded)
    return loaded.error();
  auto attention = std::make_shared<Attention>(std::move(*loaded));
  std::lock_guard lock(mutex);
  if (auto first = find(hash, requests))
    return first;
  entries.emplace(hash, Entry{requests, attention});
  return attention;
}

} // namespace sparsec
