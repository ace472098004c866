#include "runtime/AttentionBackward.h"

#include <cmath>

namespace sparsec {

namespace {

using Pass = AttentionBackwardRequest::Pass;

/// Of each group: dialect/ops/attention/Backward.cpp.
constexpr int32_t kGoesOn = 1, kStays = 2;

int64_t kvHeadOf(int64_t head, const AttentionShape &shape) {
  return head / (shape.heads / shape.kvHeads);
}

bool uses(const Heads &heads, int64_t kvHead, const AttentionShape &shape) {
  for (int64_t i = 0; i < heads.count; ++i)
    if (kvHeadOf(heads.first + i * heads.step, shape) == kvHead)
      return true;
  return false;
}

Tensor dense(const Buffer &buffer, int64_t heads, int64_t rows, int64_t columns) {
  return {.address = buffer.address(),
          .bytes = buffer.bytes(),
          .stride = {heads * rows * columns, rows * columns, columns}};
}

} // namespace

Result<void> checkCall(const AttentionBackwardRequest &request, const AttentionBackwardCall &call) {
  const AttentionShape &shape = call.shape;
  if (Result<void> ok = checkShape(shape, {0, 1, shape.heads}); !ok)
    return ok;
  if (shape.nq == 0)
    return inputError("expected at least one query row, found none");
  int element = bytes(request.dtype);
  std::array<int64_t, 3> queries = {shape.batch, shape.heads, shape.nq};
  std::array<int64_t, 3> keys = {shape.batch, shape.kvHeads, shape.n};
  std::array<int64_t, 3> rows = {shape.batch, shape.heads, 1};
  for (const Operand &operand : {
           Operand{"q", call.q, queries, request.headDim, element, 16},
           Operand{"k", call.k, keys, request.headDim, element, 16},
           Operand{"v", call.v, keys, request.valueDim, element, 16},
           Operand{"out", call.out, queries, request.valueDim, element, 16},
           Operand{"dout", call.dout, queries, request.valueDim, element, 16},
           Operand{"lse", call.lse, rows, shape.nq, 4, 4},
       })
    if (Result<void> ok = checkOperand(operand); !ok)
      return ok;
  if (call.dlse.address)
    if (Result<void> ok = checkOperand({"dlse", call.dlse, rows, shape.nq, 4, 4}); !ok)
      return ok;
  for (const Operand &operand : {
           Operand{"dq", call.dq, queries, request.headDim, element, 16},
           Operand{"dk", call.dk, keys, request.headDim, element, 16},
           Operand{"dv", call.dv, keys, request.valueDim, element, 16},
       }) {
    if (Result<void> ok = checkOperand(operand); !ok)
      return ok;
    if (Result<void> ok = checkDisjoint(operand); !ok)
      return ok;
  }
  return {};
}

Result<AttentionBackward>
AttentionBackward::load(Device &device, std::vector<BackwardEntry> entries, BlockSource source) {
  AttentionBackward result;
  result.device = &device;
  result.source = source;
  for (BackwardEntry &given : entries) {
    if (given.queryKernels.size() != 2 || given.queries.pass != Pass::Queries ||
        given.keys.pass != Pass::Keys)
      return internalError("expected the kernels of both passes of attention backward");
    given.queries.block = given.queryKernels[0].block; // where the compiler chose it
    given.keys.block = given.keyKernel.block;
    Entry entry;
    for (auto [kernel, loaded] : {std::pair{&given.queryKernels[0], &entry.delta},
                                  {&given.queryKernels[1], &entry.dq},
                                  {&given.keyKernel, &entry.dkv}}) {
      auto executable = device.load(kernel->code, kernel->entry);
      if (!executable)
        return executable.error();
      Slots slots(kernel->signature);
      *loaded = {std::move(*kernel), std::move(*executable), std::move(slots)};
    }
    entry.given = std::move(given);
    result.entries.push_back(std::move(entry));
  }
  if (result.entries.empty())
    return internalError("attention backward without a kernel");
  return result;
}

/// Whether a kv head gets its sums from several launches.
bool AttentionBackward::meets(const AttentionShape &shape) const {
  for (int64_t kvHead = 0; kvHead < shape.kvHeads; ++kvHead) {
    int users = 0;
    for (const Entry &entry : entries)
      users += uses(entry.given.heads, kvHead, shape);
    if (users > 1)
      return true;
  }
  return false;
}

/// The kv heads of an entry's query heads, which come in their order.
std::vector<int32_t> AttentionBackward::groupsOf(const Entry &entry,
                                                 const AttentionShape &shape) const {
  const Heads &heads = entry.given.heads;
  std::vector<int32_t> numbers;
  for (int64_t i = 0; i < heads.count; ++i) {
    int64_t kvHead = kvHeadOf(heads.first + i * heads.step, shape);
    if (!numbers.empty() && numbers[numbers.size() - 4] == kvHead) {
      ++numbers[numbers.size() - 2];
      continue;
    }
    int32_t role = 0;
    for (const Entry &other : entries)
      if (&other != &entry && uses(other.given.heads, kvHead, shape))
        role |= &other < &entry ? kGoesOn : kStays;
    numbers.insert(numbers.end(), {static_cast<int32_t>(kvHead), static_cast<int32_t>(i), 1, role});
  }
  return numbers;
}

Result<void> AttentionBackward::makeReady(const AttentionBackwardRequest &request,
                                          const Heads &heads, const AttentionShape &shape,
                                          bool takesForms, Ready &ready) const {
  auto rows = request.pass == Pass::Keys ? LayoutRows::Keys : LayoutRows::Queries;
  Result<LaunchNumbers> numbers = launchNumbers(request.attend,
                                                {.nq = shape.nq,
                                                 .nk = shape.n,
                                                 .q0 = shape.q0,
                                                 .blockQ = request.block.q,
                                                 .blockK = request.block.k},
                                                request.queryOrder, request.keyOrder, heads,
                                                takesForms ? source : BlockSource::Tables, rows);
  if (!numbers)
    return numbers.error();
  Result<UploadedNumbers> uploaded = upload(*device, std::move(*numbers));
  if (!uploaded)
    return uploaded.error();
  static_cast<UploadedNumbers &>(ready) = std::move(*uploaded);
  return {};
}

Result<void> AttentionBackward::prepare(Entry &entry, const AttentionShape &shape) {
  auto takesForms = [](const Kernel &kernel) {
    return kernel.signature.find("row_forms") != nullptr;
  };
  const BackwardEntry &given = entry.given;
  entry.queries = {};
  entry.keys = {};
  if (given.heads.count == 0)
    return {};
  if (Result<void> ok =
          makeReady(given.queries, given.heads, shape, takesForms(entry.dq.kernel), entry.queries);
      !ok)
    return ok;
  if (Result<void> ok =
          makeReady(given.keys, given.heads, shape, takesForms(entry.dkv.kernel), entry.keys);
      !ok)
    return ok;
  std::vector<int32_t> groups = groupsOf(entry, shape);
  entry.keys.groupCount = static_cast<int64_t>(groups.size()) / 4;
  Result<Buffer> uploaded = Buffer::upload(*device, std::as_bytes(std::span(groups)));
  if (!uploaded)
    return uploaded.error();
  entry.keys.groups = std::move(*uploaded);
  return {};
}

Result<void> AttentionBackward::prepare(const AttentionShape &shape) {
  if (readyShape == shape)
    return {};
  if (readyShape) { // an earlier launch may still read what is there
    if (Result<void> idle = device->synchronize(); !idle)
      return idle;
    readyShape.reset();
  }
  for (Entry &entry : entries)
    if (Result<void> ok = prepare(entry, shape); !ok)
      return ok;
  int64_t keyRows = meets(shape) ? shape.batch * shape.kvHeads * shape.n : 0;
  const AttentionBackwardRequest &request = entries.front().given.keys;
  for (auto [buffer, elements] : {std::pair{&delta, shape.batch * shape.heads * shape.nq},
                                  {&dkSums, keyRows * request.headDim},
                                  {&dvSums, keyRows * request.valueDim}}) {
    Result<Buffer> allocated =
        Buffer::allocate(*device, static_cast<size_t>(elements) * sizeof(float));
    if (!allocated)
      return allocated.error();
    *buffer = std::move(*allocated);
  }
  readyShape = shape;
  return {};
}

/// What a call and what is ready give a kernel, in the order of the names below.
static constexpr std::array<const char *, 13> kViews = {
    "q", "k", "v", "out", "dout", "lse", "dlse", "dq", "dk", "dv", "delta", "dk_sums", "dv_sums"};
static constexpr std::array<const char *, 7> kPointers = {
    "query_order",   "key_order", "row_forms", "block_offsets",
    "block_columns", "row_order", "groups"};
static constexpr std::array<const char *, 9> kNumbers = {
    "n",          "nq", "q0", "dlse_rows", "head_first", "head_step", "head_group", "layout_stride",
    "form_stride"};

AttentionBackward::Slots::Slots(const Signature &signature) : scale(signature, "scale") {
  for (const char *name : kViews)
    views.emplace_back(signature, name);
  for (const char *name : kPointers)
    pointers.emplace_back(signature, name);
  for (const char *name : kNumbers)
    numbers.emplace_back(signature, name);
}

Result<void> AttentionBackward::run(const Loaded &loaded, const Entry &entry, const Ready &ready,
                                    int64_t y, const AttentionBackwardCall &call) {
  const AttentionShape &shape = call.shape;
  const AttentionBackwardRequest &request = entry.given.queries;
  const Heads &heads = entry.given.heads;
  Arguments arguments(loaded.kernel.signature);
  Tensor deltas{.address = delta.address(), .stride = {shape.heads * shape.nq, shape.nq, 1}};
  Tensor ofKeys = dense(dkSums, shape.kvHeads, shape.n, request.headDim);
  Tensor ofValues = dense(dvSums, shape.kvHeads, shape.n, request.valueDim);
  std::array<const Tensor *, kViews.size()> views = {
      &call.q,  &call.k,  &call.v,  &call.out, &call.dout, &call.lse, &call.dlse,
      &call.dq, &call.dk, &call.dv, &deltas,   &ofKeys,    &ofValues};
  for (size_t i = 0; i < views.size(); ++i)
    arguments.setView(loaded.slots.views[i], views[i]->address, views[i]->stride);
  std::array<const Buffer *, kPointers.size()> pointers = {
      &ready.queryOrder, &ready.keyOrder, &ready.forms, &ready.offsets,
      &ready.columns,    &ready.rowOrder, &ready.groups};
  for (size_t i = 0; i < pointers.size(); ++i)
    arguments.setPointer(loaded.slots.pointers[i], pointers[i]->address());
  std::array<int64_t, kNumbers.size()> numbers = {shape.n,
                                                  shape.nq,
                                                  shape.q0,
                                                  call.dlse.address ? shape.nq : 0,
                                                  heads.first,
                                                  heads.step,
                                                  shape.heads / shape.kvHeads,
                                                  ready.rowsPerHead,
                                                  ready.formStride};
  for (size_t i = 0; i < numbers.size(); ++i)
    arguments.set(loaded.slots.numbers[i], static_cast<int32_t>(numbers[i]));
  arguments.set(loaded.slots.scale,
                call.scale.value_or(1.0f / std::sqrt(static_cast<float>(request.headDim))));
  const void *parameters[] = {arguments.data()};
  return device->launch(*loaded.executable,
                        launchShape(loaded.kernel, ready.rowTiles, y, shape.batch), parameters);
}

Result<void> AttentionBackward::launch(const AttentionBackwardCall &call) {
  if (Result<void> ok = checkCall(entries.front().given.queries, call); !ok)
    return ok;
  if (call.shape.batch == 0)
    return {};
  if (Result<void> ok = prepare(call.shape); !ok)
    return ok;
  for (const Entry &entry : entries) {
    const BackwardEntry &given = entry.given;
    if (given.heads.count == 0)
      continue;
    for (const Loaded *loaded : {&entry.delta, &entry.dq})
      if (Result<void> ok = run(*loaded, entry, entry.queries, given.heads.count, call); !ok)
        return ok;
    if (entry.keys.rowTiles > 0)
      if (Result<void> ok = run(entry.dkv, entry, entry.keys, entry.keys.groupCount, call); !ok)
        return ok;
  }
  return {};
}

} // namespace sparsec
