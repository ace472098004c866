#include "runtime/AttentionBackward.h"

#include "kernel/ops/KeyGroups.h"

#include <algorithm>
#include <cmath>

namespace sparsec {

namespace {

using Pass = AttentionBackwardRequest::Pass;

Tensor dense(DeviceAddress address, int64_t heads, int64_t rows, int64_t columns) {
  return {.address = address,
          .bytes = 0, // kernels alone use it
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

Result<std::vector<AttentionBackward::Part>>
AttentionBackward::load(Device &device, std::vector<BackwardPart> given) {
  std::vector<Part> parts;
  for (BackwardPart &each : given) {
    Part &part = parts.emplace_back();
    part.request = std::move(each.request);
    bool leavesDelta = part.request.pass == Pass::Queries && part.request.part.first;
    if (each.kernels.size() != (leavesDelta ? 2 : 1))
      return internalError("expected the kernels of a part of attention backward");
    part.request.block = each.kernels.back().block; // where the compiler chose it
    for (Kernel &kernel : each.kernels) {
      auto executable = device.load(kernel.code, kernel.entry);
      if (!executable)
        return executable.error();
      Slots slots(kernel.signature);
      part.kernels.push_back({std::move(kernel), std::move(*executable), std::move(slots)});
    }
  }
  return parts;
}

Result<AttentionBackward>
AttentionBackward::load(Device &device, std::vector<BackwardEntry> entries, BlockSource source) {
  AttentionBackward result;
  result.device = &device;
  result.source = source;
  for (BackwardEntry &given : entries) {
    if (given.queries.empty() || given.keys.empty())
      return internalError("expected the kernels of both passes of attention backward");
    Entry &entry = result.entries.emplace_back();
    entry.heads = given.heads;
    for (auto [from, parts] :
         {std::pair{&given.queries, &entry.queries}, {&given.keys, &entry.keys}}) {
      auto loaded = load(device, std::move(*from));
      if (!loaded)
        return loaded.error();
      *parts = std::move(*loaded);
    }
  }
  if (result.entries.empty())
    return internalError("attention backward without a kernel");
  return result;
}

/// The heads of the launches over keys, in the order they run.
std::vector<Heads> AttentionBackward::keyLaunches() const {
  std::vector<Heads> launches;
  for (const Entry &entry : entries)
    launches.insert(launches.end(), entry.keys.size(), entry.heads);
  return launches;
}

Result<void> AttentionBackward::prepare(Part &part, const Heads &heads,
                                        const AttentionShape &shape) const {
  const AttentionBackwardRequest &request = part.request;
  bool takesForms = part.kernels.back().kernel.signature.find("row_forms") != nullptr;
  Result<LaunchNumbers> numbers = launchNumbers(
      request.attend,
      {.nq = shape.nq,
       .nk = shape.n,
       .q0 = shape.q0,
       .blockQ = request.block.q,
       .blockK = request.block.k},
      request.queryOrder, request.keyOrder, heads, takesForms ? source : BlockSource::Tables,
      request.pass == Pass::Keys ? LayoutRows::Keys : LayoutRows::Queries);
  if (!numbers)
    return numbers.error();
  Result<UploadedNumbers> uploaded = upload(*device, std::move(*numbers));
  if (!uploaded)
    return uploaded.error();
  static_cast<UploadedNumbers &>(part) = std::move(*uploaded);
  return {};
}

AttentionBackward::Sums AttentionBackward::sumsOf(const AttentionShape &shape,
                                                  bool launchesMeet) const {
  bool partsMeet = false;
  for (const Entry &entry : entries)
    partsMeet |= entry.queries.size() > 1;
  int64_t queryRows = shape.batch * shape.heads * shape.nq;
  int64_t keyRows = launchesMeet ? shape.batch * shape.kvHeads * shape.n : 0;
  const AttentionBackwardRequest &request = entries.front().keys.front().request;
  Sums all;
  for (auto [place, elements] : {std::pair{&all.delta, queryRows},
                                 {&all.dq, partsMeet ? queryRows * request.headDim : 0},
                                 {&all.dk, keyRows * request.headDim},
                                 {&all.dv, keyRows * request.valueDim}}) {
    constexpr int64_t kAligned = 64; // 256 bytes
    *place = all.elements;
    all.elements += (elements + kAligned - 1) / kAligned * kAligned;
  }
  return all;
}

size_t AttentionBackward::residentBytes() const {
  size_t total = 0;
  for (const Entry &entry : entries)
    for (const std::vector<Part> *parts : {&entry.queries, &entry.keys})
      for (const Part &part : *parts)
        total += part.bytes() + part.groups.heldBytes();
  return total;
}

Result<void> AttentionBackward::prepare(const AttentionShape &shape) {
  if (readyShape == shape)
    return {};
  if (readyShape) { // an earlier launch may still read what is there
    if (Result<void> idle = device->synchronize(); !idle)
      return idle;
    readyShape.reset();
  }
  std::vector<Heads> launches = keyLaunches();
  size_t keyLaunch = 0;
  bool launchesMeet = false;
  for (Entry &entry : entries) {
    if (entry.heads.count == 0) {
      keyLaunch += entry.keys.size();
      continue;
    }
    for (std::vector<Part> *parts : {&entry.queries, &entry.keys})
      for (Part &part : *parts)
        if (Result<void> ok = prepare(part, entry.heads, shape); !ok)
          return ok;
    for (Part &part : entry.keys) {
      std::vector<KeyGroup> groups = keyGroups(launches, keyLaunch++, shape.heads / shape.kvHeads);
      launchesMeet |= std::ranges::any_of(groups, [](const KeyGroup &group) { return group.role; });
      part.groupCount = static_cast<int64_t>(groups.size());
      Result<Buffer> uploaded = Buffer::upload(*device, std::as_bytes(std::span(groups)));
      if (!uploaded)
        return uploaded.error();
      part.groups = std::move(*uploaded);
    }
  }
  sums = sumsOf(shape, launchesMeet);
  readyShape = shape;
  return {};
}

/// What a call and what is ready give a kernel, in the order of the names below.
static constexpr std::array<const char *, 14> kViews = {
    "q",  "k",  "v",  "out",   "dout",    "lse",     "dlse",
    "dq", "dk", "dv", "delta", "dq_sums", "dk_sums", "dv_sums"};
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

/// The kernels of a part, one after another.
Result<void> AttentionBackward::run(const Part &part, const Heads &heads, int64_t y,
                                    const AttentionBackwardCall &call, DeviceAddress sumsAt) const {
  const AttentionShape &shape = call.shape;
  const AttentionBackwardRequest &request = part.request;
  auto at = [&](int64_t elements) { return sumsAt + 4 * static_cast<DeviceAddress>(elements); };
  Tensor deltas{.address = at(sums.delta), .stride = {shape.heads * shape.nq, shape.nq, 1}};
  Tensor ofQueries = dense(at(sums.dq), shape.heads, shape.nq, request.headDim);
  Tensor ofKeys = dense(at(sums.dk), shape.kvHeads, shape.n, request.headDim);
  Tensor ofValues = dense(at(sums.dv), shape.kvHeads, shape.n, request.valueDim);
  std::array<const Tensor *, kViews.size()> views = {
      &call.q,  &call.k,  &call.v,  &call.out, &call.dout, &call.lse, &call.dlse,
      &call.dq, &call.dk, &call.dv, &deltas,   &ofQueries, &ofKeys,   &ofValues};
  std::array<const Buffer *, kPointers.size()> pointers = {
      &part.queryOrder, &part.keyOrder, &part.forms, &part.offsets,
      &part.columns,    &part.rowOrder, &part.groups};
  std::array<int64_t, kNumbers.size()> numbers = {shape.n,
                                                  shape.nq,
                                                  shape.q0,
                                                  call.dlse.address ? shape.nq : 0,
                                                  heads.first,
                                                  heads.step,
                                                  shape.heads / shape.kvHeads,
                                                  part.rowsPerHead,
                                                  part.formStride};
  float scale = call.scale.value_or(1.0f / std::sqrt(static_cast<float>(request.headDim)));
  for (const Loaded &loaded : part.kernels) {
    Arguments arguments(loaded.kernel.signature);
    for (size_t i = 0; i < views.size(); ++i)
      arguments.setView(loaded.slots.views[i], views[i]->address, views[i]->stride);
    for (size_t i = 0; i < pointers.size(); ++i)
      arguments.setPointer(loaded.slots.pointers[i], pointers[i]->address());
    for (size_t i = 0; i < numbers.size(); ++i)
      arguments.set(loaded.slots.numbers[i], static_cast<int32_t>(numbers[i]));
    arguments.set(loaded.slots.scale, scale);
    const void *parameters[] = {arguments.data()};
    LaunchShape size = launchShape(loaded.kernel, part.rowTiles, y, shape.batch);
    if (Result<void> ok = device->launch(*loaded.executable, size, parameters); !ok)
      return ok;
  }
  return {};
}

Result<void> AttentionBackward::launch(const AttentionBackwardCall &call) {
  if (Result<void> ok = checkCall(entries.front().queries.front().request, call); !ok)
    return ok;
  if (call.shape.batch == 0)
    return {};
  if (Result<void> ok = prepare(call.shape); !ok)
    return ok;
  Result<DeviceAddress> room = workspace.forCall(*device, call.workspace, workspaceBytes());
  if (!room)
    return room.error();
  for (const Entry &entry : entries) {
    if (entry.heads.count == 0)
      continue;
    for (const Part &part : entry.queries)
      if (Result<void> ok = run(part, entry.heads, entry.heads.count, call, *room); !ok)
        return ok;
    for (const Part &part : entry.keys)
      if (part.rowTiles > 0)
        if (Result<void> ok = run(part, entry.heads, part.groupCount, call, *room); !ok)
          return ok;
  }
  return {};
}

} // namespace sparsec
