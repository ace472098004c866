#include "runtime/AttentionDecode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sparsec {

AttentionDecode::Slots::Slots(const Kernel &kernel) {
  const Signature &signature = kernel.signature;
  for (auto [view, name] : {std::pair{&q, "q"},
                            {&k, "k"},
                            {&v, "v"},
                            {&out, "out"},
                            {&lse, "lse"},
                            {&partMax, "part_max"},
                            {&partSum, "part_sum"},
                            {&partOut, "part_out"},
                            {&lengths, "lengths"}})
    *view = ViewSlot(signature, name);
  for (auto [slot, name] : {std::pair{&keyOrder, "key_order"},
                            {&groups, "groups"},
                            {&rowForms, "row_forms"},
                            {&blockOffsets, "block_offsets"},
                            {&blockColumns, "block_columns"},
                            {&rowOrder, "row_order"},
                            {&headFirst, "head_first"},
                            {&headStep, "head_step"},
                            {&layoutStride, "layout_stride"},
                            {&formStride, "form_stride"},
                            {&groupCount, "group_count"},
                            {&nq, "nq"},
                            {&most, "most"},
                            {&slices, "slices"},
                            {&firstSlot, "first_slot"},
                            {&whole, "whole"},
                            {&slots, "slots"},
                            {&scale, "scale"}})
    *slot = Slot(signature, name);
  items = Slot(signature, kernel.grid.order);
}

Result<AttentionDecode::Loaded> AttentionDecode::loadKernel(Device &device, Kernel kernel) {
  Result<std::unique_ptr<Executable>> executable = device.load(kernel.code, kernel.entry);
  if (!executable)
    return executable.error();
  Slots slots(kernel);
  return Loaded{std::move(kernel), std::move(*executable), slots};
}

Result<AttentionDecode> AttentionDecode::load(Device &device, std::vector<DecodePart> parts,
                                              BlockSource source) {
  AttentionDecode made;
  made.device = &device;
  made.source = source;
  for (size_t i = 0; i < parts.size(); ++i) {
    auto &[request, kernels] = parts[i];
    bool last = i + 1 == parts.size();
    if (request.part != PartRole{.first = i == 0, .last = last} || kernels.size() != (last ? 2 : 1))
      return internalError(fmt::format("the kernels of '{}' are not those of part {} of {}",
                                       request.entry, i + 1, parts.size()));
    request.block = kernels[0].block; // where the compiler chose it
    Result<Loaded> fold = loadKernel(device, std::move(kernels[0]));
    if (!fold)
      return fold.error();
    if (last) {
      Result<Loaded> merge = loadKernel(device, std::move(kernels[1]));
      if (!merge)
        return merge.error();
      made.merge = std::move(*merge);
    }
    made.parts.push_back({.request = std::move(request), .fold = std::move(*fold)});
  }
  if (made.parts.empty())
    return internalError("attention of new queries without a kernel");
  return made;
}

//===-- What a shape needs --------------------------------------------------------------------===//

Result<void> AttentionDecode::prepareGroups(AttentionDecodePlan &plan) const {
  bool alike = std::ranges::none_of(
      parts, [](const Part &part) { return mentions(part.request.attend, Op::Head); });
  const DecodeShape &shape = plan.asked;
  std::vector<DecodeGroup> list = decodeGroups(plan.used, shape.heads / shape.kvHeads, alike);
  plan.groupCount = static_cast<int64_t>(list.size());
  plan.headsOfGroup = std::ranges::max(list, {}, &DecodeGroup::heads).heads;
  Result<Buffer> uploaded = Buffer::upload(*device, std::as_bytes(std::span(list)));
  if (!uploaded)
    return uploaded.error();
  plan.groups = std::move(*uploaded);
  return {};
}

Result<void> AttentionDecode::prepareParts(AttentionDecodePlan &plan) const {
  int64_t firstSlot = 0, count = plan.places();
  for (const Part &part : parts) {
    Result<LaunchNumbers> numbers =
        decodeNumbers(part.request, plan.asked.most, plan.used,
                      part.fold.slots.rowForms ? source : BlockSource::Tables);
    if (!numbers)
      return numbers.error();
    Result<UploadedNumbers> uploaded = upload(*device, std::move(*numbers));
    if (!uploaded)
      return uploaded.error();
    int64_t slices = decodeSlices(uploaded->counts, plan.asked.most * plan.used.count, count);
    if (slices * count > INT32_MAX)
      return inputError(
          fmt::format("expected at most 2^31 - 1 work items, found {}", slices * count));
    plan.parts.push_back({std::move(*uploaded), slices, firstSlot});
    firstSlot += slices;
    plan.scratch = std::max(plan.scratch, device->scratchBytes(*part.fold.executable));
  }
  plan.scratch = std::max(plan.scratch, device->scratchBytes(*merge->executable));
  // What slices have summed, in f32, [slot][place][head of the group]: sums of values, then the
  // maxima of rows and their sums.
  int64_t columns = request().valueDim + 2;
  if (plan.slots() > 1)
    plan.sums = alignedBytes(
        static_cast<size_t>(plan.slots() * count * plan.headsOfGroup * columns) * sizeof(float));
  return {};
}

size_t AttentionDecodePlan::residentBytes() const {
  size_t total = groups.heldBytes();
  for (const Part &part : parts)
    total += part.numbers.bytes();
  return total;
}

Result<AttentionDecodePlan> AttentionDecode::prepare(const DecodeShape &shape,
                                                     const Heads &heads) const {
  if (shape.nq < 1 || shape.nq > AttentionDecodeRequest::kMostQueries)
    return inputError(fmt::format("expected 1 to {} new queries, found {}",
                                  AttentionDecodeRequest::kMostQueries, shape.nq));
  AttentionShape all{.batch = shape.batch,
                     .heads = shape.heads,
                     .kvHeads = shape.kvHeads,
                     .nq = shape.most,
                     .n = shape.most};
  if (Result<void> ok = checkShape(all, heads); !ok)
    return ok.error();
  AttentionDecodePlan plan;
  plan.asked = shape;
  plan.used = heads;
  if (heads.count == 0 || shape.batch == 0 || shape.most == 0)
    return plan; // nothing is launched
  if (Result<void> ok = prepareGroups(plan); !ok)
    return ok.error();
  if (Result<void> ok = prepareParts(plan); !ok)
    return ok.error();
  return plan;
}

BlockCounts AttentionDecodePlan::blocks() const {
  BlockCounts all;
  for (const Part &part : parts) {
    all.live += part.numbers.counts.live;
    all.full += part.numbers.counts.full;
    all.partial += part.numbers.counts.partial;
  }
  return all;
}

//===-- Launches ------------------------------------------------------------------------------===//

static Result<void> checkTensors(const AttentionDecodeRequest &request, const DecodeShape &shape,
                                 const AttentionDecodeCall &call) {
  int element = bytes(request.dtype);
  std::array<int64_t, 3> queries = {shape.batch, shape.heads, shape.nq};
  std::array<int64_t, 3> keys = {shape.batch, shape.kvHeads, shape.most};
  for (const Operand &operand : {Operand{"q", call.q, queries, request.headDim, element, 16},
                                 Operand{"k", call.k, keys, request.headDim, element, 16},
                                 Operand{"v", call.v, keys, request.valueDim, element, 16},
                                 Operand{"lengths", call.lengths, {1, 1, 1}, shape.batch, 4, 4}})
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

/// What fold and merge take alike. A tile's rows are heads: step from one to the next.
Arguments AttentionDecode::arguments(const Loaded &loaded, const AttentionDecodePlan &plan,
                                     const UploadedNumbers &numbers,
                                     const AttentionDecodeCall &call) const {
  const Slots &slots = loaded.slots;
  const DecodeShape &shape = plan.asked;
  DeviceAddress sums = call.workspace.address;
  Arguments arguments(loaded.kernel.signature);
  auto setQueries = [&](const ViewSlot &slot, const Tensor &tensor, int64_t rowStride) {
    std::array<int64_t, 4> strides = {tensor.stride[0], tensor.stride[1], rowStride,
                                      tensor.stride[1] * plan.used.step};
    arguments.setView(slot, tensor.address, strides);
  };
  setQueries(slots.q, call.q, call.q.stride[2]);
  setQueries(slots.out, call.out, call.out.stride[2]);
  setQueries(slots.lse, call.lse, 1);
  arguments.setView(slots.k, call.k.address, call.k.stride);
  arguments.setView(slots.v, call.v.address, call.v.stride);
  int64_t ofSlot = plan.headsOfGroup * plan.places(), columns = request().valueDim;
  int64_t rows = plan.slots() * ofSlot;
  DeviceAddress maxima = sums + static_cast<DeviceAddress>(4 * rows * columns);
  arguments.setView(slots.partOut, sums,
                    std::array{ofSlot * columns, plan.headsOfGroup * columns, columns});
  arguments.setView(slots.partMax, maxima, std::array{ofSlot, plan.headsOfGroup});
  arguments.setView(slots.partSum, maxima + static_cast<DeviceAddress>(4 * rows),
                    std::array{ofSlot, plan.headsOfGroup});
  arguments.setPointer(slots.lengths.address, call.lengths.address);
  arguments.setPointer(slots.groups, plan.groups.address());
  arguments.setPointer(slots.keyOrder, numbers.keyOrder.address());
  arguments.setPointer(slots.rowForms, numbers.forms.address());
  arguments.setPointer(slots.blockOffsets, numbers.offsets.address());
  arguments.setPointer(slots.blockColumns, numbers.columns.address());
  arguments.set(slots.layoutStride, numbers.rowsPerHead);
  arguments.set(slots.formStride, numbers.formStride);
  arguments.set(slots.headFirst, static_cast<int32_t>(plan.used.first));
  arguments.set(slots.headStep, static_cast<int32_t>(plan.used.step));
  arguments.set(slots.groupCount, static_cast<int32_t>(plan.groupCount));
  arguments.set(slots.nq, static_cast<int32_t>(shape.nq));
  arguments.set(slots.most, static_cast<int32_t>(shape.most));
  return arguments;
}

Result<void> AttentionDecode::launch(const Loaded &loaded, const Arguments &arguments,
                                     int64_t items, const AttentionDecodeCall &call) const {
  const void *parameters[] = {arguments.data()};
  LaunchShape shape = launchShape(loaded.kernel, items, 1, 1);
  shape.stream = call.stream;
  shape.scratch = call.scratch;
  return device->launch(*loaded.executable, shape, parameters);
}

Result<void> AttentionDecode::launch(const AttentionDecodePlan &plan,
                                     const AttentionDecodeCall &call) const {
  if (plan.parts.empty())
    return {};
  if (Result<void> ok = checkTensors(request(), plan.asked, call); !ok)
    return ok;
  if (Result<void> ok = checkWorkspace(call.workspace, plan.workspaceBytes()); !ok)
    return ok;
  float scale = call.scale.value_or(1.0f / std::sqrt(static_cast<float>(request().headDim)));
  bool isWhole = plan.slots() == 1;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto &[numbers, slices, firstSlot] = plan.parts[i];
    const Loaded &fold = parts[i].fold;
    int64_t items = plan.places() * slices;
    Arguments values = arguments(fold, plan, numbers, call);
    values.set(fold.slots.items, static_cast<int32_t>(items));
    values.set(fold.slots.slices, static_cast<int32_t>(slices));
    values.set(fold.slots.firstSlot, static_cast<int32_t>(firstSlot));
    values.set(fold.slots.whole, static_cast<int32_t>(isWhole));
    values.set(fold.slots.scale, scale);
    if (Result<void> ok = launch(fold, values, items, call); !ok)
      return ok;
  }
  if (isWhole)
    return {};
  Arguments values = arguments(*merge, plan, plan.parts.back().numbers, call);
  values.set(merge->slots.items, static_cast<int32_t>(plan.places()));
  values.set(merge->slots.slots, static_cast<int32_t>(plan.slots()));
  return launch(*merge, values, plan.places(), call);
}

} // namespace sparsec
