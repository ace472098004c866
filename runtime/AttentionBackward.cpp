#include "runtime/AttentionBackward.h"

#include "kernel/ops/KeyGroups.h"
#include "runtime/Workspace.h"

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

Result<void> checkCall(const AttentionBackwardRequest &request, const AttentionShape &shape,
                       const AttentionBackwardCall &call) {
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

size_t AttentionBackwardPlan::residentBytes() const {
  size_t total = 0;
  for (const Part &part : parts)
    total += part.numbers.bytes() + part.groups.heldBytes();
  return total;
}

Heads AttentionBackward::headsOf(size_t entry, const AttentionShape &shape) const {
  return headsOfEntry(static_cast<int64_t>(entry), static_cast<int64_t>(entries.size()),
                      shape.heads);
}

const AttentionBackward::Part &AttentionBackward::partOf(const Plan::Part &planned) const {
  const Entry &entry = entries[static_cast<size_t>(planned.entry)];
  return (planned.pass == Pass::Keys ? entry.keys
                                     : entry.queries)[static_cast<size_t>(planned.part)];
}

Result<AttentionBackward::Plan::Part>
AttentionBackward::prepare(const Part &part, const Heads &heads,
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
  return Plan::Part{.pass = request.pass,
                    .heads = heads,
                    .numbers = std::move(*uploaded),
                    .groups = {},
                    .launches = {}};
}

AttentionBackward::Plan::Sums AttentionBackward::sumsOf(const AttentionShape &shape,
                                                        bool launchesMeet) const {
  bool partsMeet = false;
  for (const Entry &entry : entries)
    partsMeet |= entry.queries.size() > 1;
  int64_t queryRows = shape.batch * shape.heads * shape.nq;
  int64_t keyRows = launchesMeet ? shape.batch * shape.kvHeads * shape.n : 0;
  const AttentionBackwardRequest &request = entries.front().keys.front().request;
  Plan::Sums all;
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

Result<AttentionBackwardPlan> AttentionBackward::prepare(const AttentionShape &shape) const {
  if (Result<void> ok = checkShape(shape, {0, 1, shape.heads}); !ok)
    return ok.error();
  if (shape.nq == 0)
    return inputError("expected at least one query row, found none");
  Plan plan;
  plan.asked = shape;
  std::vector<Heads> keyLaunches; // in the order they run
  for (size_t i = 0; i < entries.size(); ++i)
    if (headsOf(i, shape).count > 0)
      keyLaunches.insert(keyLaunches.end(), entries[i].keys.size(), headsOf(i, shape));
  size_t keyLaunch = 0;
  bool launchesMeet = false;
  for (size_t i = 0; i < entries.size(); ++i) {
    Heads heads = headsOf(i, shape);
    if (heads.count == 0)
      continue;
    for (const std::vector<Part> *parts : {&entries[i].queries, &entries[i].keys})
      for (size_t p = 0; p < parts->size(); ++p) {
        const Part &part = (*parts)[p];
        Result<Plan::Part> planned = prepare(part, heads, shape);
        if (!planned)
          return planned.error();
        planned->entry = static_cast<int64_t>(i);
        planned->part = static_cast<int64_t>(p);
        int64_t y = heads.count;
        if (planned->pass == Pass::Keys) {
          auto groups = keyGroups(keyLaunches, keyLaunch++, shape.heads / shape.kvHeads);
          launchesMeet |=
              std::ranges::any_of(groups, [](const KeyGroup &each) { return each.role; });
          y = static_cast<int64_t>(groups.size());
          Result<Buffer> uploaded = Buffer::upload(*device, std::as_bytes(std::span(groups)));
          if (!uploaded)
            return uploaded.error();
          planned->groups = std::move(*uploaded);
        }
        if (shape.batch > 0 && planned->numbers.rowTiles > 0)
          addLaunches(part, shape, y, *planned);
        for (const Loaded &loaded : part.kernels)
          plan.scratch = std::max(plan.scratch, device->scratchBytes(*loaded.executable));
        plan.parts.push_back(std::move(*planned));
      }
  }
  plan.sums = sumsOf(shape, launchesMeet);
  return plan;
}

/// What a call and a plan give a kernel, in the order of the names below.
static constexpr std::array<const char *, 14> kViews = {
    "q",  "k",  "v",  "out",   "dout",    "lse",     "dlse",
    "dq", "dk", "dv", "delta", "dq_sums", "dk_sums", "dv_sums"};
static constexpr std::array<const char *, 7> kPointers = {
    "query_order",   "key_order", "row_forms", "block_offsets",
    "block_columns", "row_order", "groups"};
static constexpr std::array<const char *, 8> kNumbers = {
    "n", "nq", "q0", "head_first", "head_step", "head_group", "layout_stride", "form_stride"};

AttentionBackward::Slots::Slots(const Signature &signature)
    : scale(signature, "scale"), dlseRows(signature, "dlse_rows") {
  for (const char *name : kViews)
    views.emplace_back(signature, name);
  for (const char *name : kPointers)
    pointers.emplace_back(signature, name);
  for (const char *name : kNumbers)
    numbers.emplace_back(signature, name);
}

void AttentionBackward::addLaunches(const Part &part, const AttentionShape &shape, int64_t y,
                                    Plan::Part &planned) const {
  const UploadedNumbers &uploaded = planned.numbers;
  std::array<const Buffer *, kPointers.size()> pointers = {
      &uploaded.queryOrder, &uploaded.keyOrder, &uploaded.forms, &uploaded.offsets,
      &uploaded.columns,    &uploaded.rowOrder, &planned.groups};
  std::array<int64_t, kNumbers.size()> numbers = {shape.n,
                                                  shape.nq,
                                                  shape.q0,
                                                  planned.heads.first,
                                                  planned.heads.step,
                                                  shape.heads / shape.kvHeads,
                                                  uploaded.rowsPerHead,
                                                  uploaded.formStride};
  for (const Loaded &loaded : part.kernels) {
    Arguments arguments(loaded.kernel.signature);
    for (size_t i = 0; i < pointers.size(); ++i)
      arguments.setPointer(loaded.slots.pointers[i], pointers[i]->address());
    for (size_t i = 0; i < numbers.size(); ++i)
      arguments.set(loaded.slots.numbers[i], static_cast<int32_t>(numbers[i]));
    planned.launches.push_back(
        {std::move(arguments),
         launchShape(loaded.kernel, uploaded.rowTiles, y, shape.batch, uploaded.counts.live)});
  }
}

Result<void> AttentionBackward::launch(const AttentionBackwardPlan &plan,
                                       const AttentionBackwardCall &call) const {
  const AttentionShape &shape = plan.asked;
  const AttentionBackwardRequest &request = entries.front().queries.front().request;
  if (Result<void> ok = checkCall(request, shape, call); !ok)
    return ok;
  if (shape.batch == 0)
    return {};
  if (Result<void> ok = checkWorkspace(call.workspace, plan.workspaceBytes()); !ok)
    return ok;
  auto at = [&](int64_t elements) {
    return call.workspace.address + 4 * static_cast<DeviceAddress>(elements);
  };
  Tensor deltas{.address = at(plan.sums.delta), .stride = {shape.heads * shape.nq, shape.nq, 1}};
  Tensor ofQueries = dense(at(plan.sums.dq), shape.heads, shape.nq, request.headDim);
  Tensor ofKeys = dense(at(plan.sums.dk), shape.kvHeads, shape.n, request.headDim);
  Tensor ofValues = dense(at(plan.sums.dv), shape.kvHeads, shape.n, request.valueDim);
  std::array<const Tensor *, kViews.size()> views = {
      &call.q,  &call.k,  &call.v,  &call.out, &call.dout, &call.lse, &call.dlse,
      &call.dq, &call.dk, &call.dv, &deltas,   &ofQueries, &ofKeys,   &ofValues};
  float scale = call.scale.value_or(1.0f / std::sqrt(static_cast<float>(request.headDim)));
  auto dlseRows = static_cast<int32_t>(call.dlse.address ? shape.nq : 0);
  for (const Plan::Part &planned : plan.parts) {
    const Part &part = partOf(planned);
    for (size_t i = 0; i < planned.launches.size(); ++i) {
      const Slots &slots = part.kernels[i].slots;
      Arguments arguments = planned.launches[i].arguments;
      for (size_t v = 0; v < views.size(); ++v)
        arguments.setView(slots.views[v], views[v]->address, views[v]->stride);
      arguments.set(slots.dlseRows, dlseRows);
      arguments.set(slots.scale, scale);
      LaunchShape where = planned.launches[i].shape;
      where.stream = call.stream;
      where.scratch = call.scratch;
      const void *parameters[] = {arguments.data()};
      if (Result<void> ok = device->launch(*part.kernels[i].executable, where, parameters); !ok)
        return ok;
    }
  }
  return {};
}

} // namespace sparsec
