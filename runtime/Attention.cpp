#include "runtime/Attention.h"

#include "runtime/Workspace.h"

#include <fmt/format.h>

#include <algorithm>

#include <cmath>

namespace sparsec {

namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxGridYZ = 65535; // of every CUDA device

} // namespace

bool sameHeads(const Heads &a, const Heads &b) {
  return a.first == b.first && a.step == b.step && a.count == b.count;
}

Result<void> checkShape(const AttentionShape &shape, const Heads &heads) {
  auto refuse = [](std::string_view what, int64_t found) {
    return inputError(fmt::format("expected {}, found {}", what, found));
  };
  if (shape.batch < 0 || shape.batch > kMaxGridYZ)
    return refuse("a batch of 0 to 65535", shape.batch);
  if (shape.heads < 1 || shape.heads > kMaxGridYZ)
    return refuse("1 to 65535 heads", shape.heads);
  if (shape.kvHeads < 1 || shape.heads % shape.kvHeads != 0)
    return inputError(fmt::format("expected kv heads that divide the {} heads, found {}",
                                  shape.heads, shape.kvHeads));
  if (shape.n < 0 || shape.n >= kMaxInt32)
    return refuse("0 <= n < 2^31 - 1 keys", shape.n);
  if (shape.nq < 0 || shape.nq >= kMaxInt32)
    return refuse("0 <= nq < 2^31 - 1 query rows", shape.nq);
  if (shape.q0 <= -kMaxInt32 || shape.q0 >= kMaxInt32 || shape.q0 + shape.nq > kMaxInt32)
    return inputError(fmt::format("expected query positions q0 .. q0 + nq in 32 bits, found q0 = "
                                  "{}, nq = {}",
                                  shape.q0, shape.nq));
  // Small numbers first, so that the last product cannot overflow.
  if (heads.first < 0 || heads.step < 1 || heads.step > kMaxInt32 || heads.count < 0 ||
      heads.count > shape.heads ||
      (heads.count && heads.first + (heads.count - 1) * heads.step >= shape.heads))
    return inputError(fmt::format("expected heads below {}, found {} from {} in steps of {}",
                                  shape.heads, heads.count, heads.first, heads.step));
  return {};
}

Heads headsOfEntry(int64_t entry, int64_t entries, int64_t modelHeads) {
  int64_t count = entry < modelHeads ? (modelHeads - 1 - entry) / entries + 1 : 0;
  return {.first = entry, .step = entries, .count = count};
}

Result<void> checkCall(const AttentionRequest &request, const AttentionShape &shape,
                       const AttentionCall &call) {
  int element = bytes(request.dtype);
  std::array<int64_t, 3> queries = {shape.batch, shape.heads, shape.nq};
  std::array<int64_t, 3> keys = {shape.batch, shape.kvHeads, shape.n};
  for (const Operand &operand : {
           Operand{"q", call.q, queries, request.headDim, element, 16},
           Operand{"k", call.k, keys, request.headDim, element, 16},
           Operand{"v", call.v, keys, request.valueDim, element, 16},
       })
    if (Result<void> ok = checkOperand(operand); !ok)
      return ok;
  Operand out{"out", call.out, queries, request.valueDim, element, 16};
  Operand lse{"lse", call.lse, {shape.batch, shape.heads, 1}, shape.nq, 4, 4};
  for (const Operand &operand : {out, lse}) {
    if (&operand.tensor == &call.lse && call.lse.address == 0)
      continue;
    if (Result<void> ok = checkOperand(operand); !ok)
      return ok;
    if (Result<void> ok = checkDisjoint(operand); !ok)
      return ok;
  }
  return {};
}

Result<Attention> Attention::load(Device &device, std::vector<AttentionPart> parts,
                                  BlockSource source) {
  Attention result;
  result.device = &device;
  result.source = source;
  for (size_t i = 0; i < parts.size(); ++i) {
    auto &[kernel, request] = parts[i];
    if (request.part != PartRole{.first = i == 0, .last = i + 1 == parts.size()})
      return internalError(
          fmt::format("kernel '{}' is not part {} of {}", kernel.entry, i + 1, parts.size()));
    request.block = kernel.block; // where the compiler chose it
    Result<std::unique_ptr<Executable>> executable = device.load(kernel.code, kernel.entry);
    if (!executable)
      return executable.error();
    Slots slots(kernel.signature);
    result.parts.push_back({std::move(kernel), std::move(request), std::move(*executable), slots});
  }
  if (result.parts.empty())
    return internalError("attention without a kernel");
  return result;
}

Attention::Slots::Slots(const Signature &signature) {
  auto slot = [&](std::string_view name) { return Slot(signature, name); };
  for (auto [view, name] : {std::pair{&q, "q"},
                            {&k, "k"},
                            {&v, "v"},
                            {&out, "out"},
                            {&lse, "lse"},
                            {&rowMax, "row_max"},
                            {&rowSum, "row_sum"},
                            {&priorOut, "prior_out"},
                            {&priorMax, "prior_max"},
                            {&priorSum, "prior_sum"}})
    *view = ViewSlot(signature, name);
  queryOrder = slot("query_order"), keyOrder = slot("key_order");
  rowForms = slot("row_forms"), rowOrder = slot("row_order");
  blockOffsets = slot("block_offsets"), blockColumns = slot("block_columns");
  n = slot("n"), nq = slot("nq"), q0 = slot("q0"), scale = slot("scale");
  headFirst = slot("head_first"), headStep = slot("head_step"), headGroup = slot("head_group");
  layoutStride = slot("layout_stride"), formStride = slot("form_stride");
}

Result<AttentionPlan::Part> Attention::prepare(const Part &part, const AttentionShape &shape,
                                               const Heads &heads) const {
  const auto &[kernel, request, executable, slots] = part;
  Result<LaunchNumbers> worked = launchNumbers(request.attend,
                                               {.nq = shape.nq,
                                                .nk = shape.n,
                                                .q0 = shape.q0,
                                                .blockQ = request.block.q,
                                                .blockK = request.block.k},
                                               request.queryOrder, request.keyOrder, heads,
                                               slots.rowForms ? source : BlockSource::Tables);
  if (!worked)
    return worked.error();
  Result<UploadedNumbers> numbers = upload(*device, std::move(*worked));
  if (!numbers)
    return numbers.error();
  Arguments arguments(kernel.signature);
  arguments.setPointer(slots.queryOrder, numbers->queryOrder.address());
  arguments.setPointer(slots.keyOrder, numbers->keyOrder.address());
  arguments.setPointer(slots.rowForms, numbers->forms.address());
  arguments.setPointer(slots.blockOffsets, numbers->offsets.address());
  arguments.setPointer(slots.blockColumns, numbers->columns.address());
  arguments.setPointer(slots.rowOrder, numbers->rowOrder.address());
  arguments.set(slots.layoutStride, numbers->rowsPerHead);
  arguments.set(slots.formStride, numbers->formStride);
  arguments.set(slots.n, static_cast<int32_t>(shape.n));
  arguments.set(slots.nq, static_cast<int32_t>(shape.nq));
  arguments.set(slots.q0, static_cast<int32_t>(shape.q0));
  arguments.set(slots.headFirst, static_cast<int32_t>(heads.first));
  arguments.set(slots.headStep, static_cast<int32_t>(heads.step));
  arguments.set(slots.headGroup, static_cast<int32_t>(shape.heads / shape.kvHeads));
  LaunchShape launch =
      launchShape(kernel, numbers->rowTiles, heads.count, shape.batch, numbers->counts.live);
  return AttentionPlan::Part{std::move(*numbers), std::move(arguments), launch};
}

namespace {

/// Sums of the parts before the last one, in f32, of the heads first .. last of the entry. Each
/// thread reads and writes its own elements of out, but a row's maximum and sum are read by
/// several threads and written by one: there are two of each, in turn.
struct PartSums {
  int64_t heads, rows, outElements;
  static constexpr int64_t kOfRow = 4;

  PartSums(const AttentionShape &shape, const Heads &used, int64_t valueDim)
      : heads((used.count - 1) * used.step + 1), rows(shape.batch * heads * shape.nq),
        outElements(rows * valueDim) {}
  size_t bytes() const { return static_cast<size_t>(outElements + kOfRow * rows) * sizeof(float); }
};

} // namespace

BlockCounts AttentionPlan::blocks() const {
  BlockCounts all;
  for (const Part &part : parts) {
    all.live += part.numbers.counts.live;
    all.full += part.numbers.counts.full;
    all.partial += part.numbers.counts.partial;
  }
  return all;
}

size_t AttentionPlan::residentBytes() const {
  size_t total = 0;
  for (const Part &part : parts)
    total += part.numbers.bytes();
  return total;
}

Result<AttentionPlan> Attention::prepare(const AttentionShape &shape, const Heads &heads) const {
  if (Result<void> ok = checkShape(shape, heads); !ok)
    return ok.error();
  AttentionPlan plan;
  plan.asked = shape;
  plan.used = heads;
  if (heads.count == 0 || shape.batch == 0 || shape.nq == 0)
    return plan; // nothing is launched
  for (const Part &part : parts) {
    Result<AttentionPlan::Part> prepared = prepare(part, shape, heads);
    if (!prepared)
      return prepared.error();
    plan.parts.push_back(std::move(*prepared));
    plan.scratch = std::max(plan.scratch, device->scratchBytes(*part.executable));
  }
  if (parts.size() > 1)
    plan.sums = alignedBytes(PartSums(shape, heads, request().valueDim).bytes());
  return plan;
}

/// Where a part finds and leaves sums.
void Attention::setSums(Arguments &arguments, size_t index, const AttentionPlan &plan,
                        DeviceAddress sums) const {
  const auto &[kernel, request, executable, slots] = parts[index];
  const AttentionShape &shape = plan.asked;
  // Kernels count heads from the model's first; the sums begin at the entry's first.
  PartSums all(shape, plan.used, request.valueDim);
  int64_t row = request.valueDim, head = shape.nq * row, batch = all.heads * head;
  DeviceAddress out = sums - 4 * plan.used.first * head;
  std::array<int64_t, 3> outStride = {batch, head, row};
  std::array<int64_t, 2> rowStride = {all.heads * shape.nq, shape.nq};
  auto set = [&](const ViewSlot &view, const ViewSlot &rowMax, const ViewSlot &rowSum,
                 size_t written) { // by part `written`
    int64_t place = all.outElements + static_cast<int64_t>(written % 2) * 2 * all.rows;
    DeviceAddress first = sums + 4 * (place - plan.used.first * shape.nq);
    arguments.setView(view, out, outStride);
    arguments.setView(rowMax, first, rowStride);
    arguments.setView(rowSum, first + 4 * all.rows, rowStride);
  };
  if (!request.part.first)
    set(slots.priorOut, slots.priorMax, slots.priorSum, index - 1);
  if (!request.part.last)
    set(slots.out, slots.rowMax, slots.rowSum, index);
}

Result<void> Attention::launch(const AttentionPlan &plan, const AttentionCall &call) const {
  if (Result<void> ok = checkCall(request(), plan.asked, call); !ok)
    return ok;
  if (plan.parts.empty())
    return {};
  if (Result<void> ok = checkWorkspace(call.workspace, plan.workspaceBytes()); !ok)
    return ok;
  float scale = call.scale.value_or(1.0f / std::sqrt(static_cast<float>(request().headDim)));
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto &[kernel, request, executable, slots] = parts[i];
    Arguments arguments = plan.parts[i].arguments;
    arguments.setView(slots.q, call.q.address, call.q.stride);
    arguments.setView(slots.k, call.k.address, call.k.stride);
    arguments.setView(slots.v, call.v.address, call.v.stride);
    arguments.setView(slots.out, call.out.address, call.out.stride);
    arguments.setView(slots.lse, call.lse.address, call.lse.stride);
    arguments.set(slots.scale, scale);
    if (plan.sums)
      setSums(arguments, i, plan, call.workspace.address);
    LaunchShape launch = plan.parts[i].launch;
    launch.stream = call.stream;
    launch.scratch = call.scratch;
    const void *parameters[] = {arguments.data()};
    if (Result<void> ok = device->launch(*executable, launch, parameters); !ok)
      return ok;
  }
  return {};
}

} // namespace sparsec
