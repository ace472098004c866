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
    made.parts.push_back({.request = std::move(request), .fold = std::move(*fold), .ready = {}});
  }
  if (made.parts.empty())
    return internalError("attention of new queries without a kernel");
  return made;
}

//===-- What a shape needs --------------------------------------------------------------------===//

Result<void> AttentionDecode::prepareGroups(const DecodeShape &shape, const Heads &heads) {
  bool alike = std::ranges::none_of(
      parts, [](const Part &part) { return mentions(part.request.attend, Op::Head); });
  std::vector<DecodeGroup> list = decodeGroups(heads, shape.heads / shape.kvHeads, alike);
  groupCount = static_cast<int64_t>(list.size());
  headsOfGroup = std::ranges::max(list, {}, &DecodeGroup::heads).heads;
  Result<Buffer> uploaded = Buffer::upload(*device, std::as_bytes(std::span(list)));
  if (!uploaded)
    return uploaded.error();
  groups = std::move(*uploaded);
  return {};
}

Result<void> AttentionDecode::prepare(Part &part, const DecodeShape &shape, const Heads &heads) {
  Result<LaunchNumbers> numbers = decodeNumbers(
      part.request, shape.most, heads, part.fold.slots.rowForms ? source : BlockSource::Tables);
  if (!numbers)
    return numbers.error();
  Result<UploadedNumbers> uploaded = upload(*device, std::move(*numbers));
  if (!uploaded)
    return uploaded.error();
  part.ready = std::move(*uploaded);
  return {};
}

/// What slices have summed, in f32, [slot][place][head of the group]: sums of values, then the
/// maxima of rows and their sums.
size_t AttentionDecode::workspaceBytes() const {
  if (!readyShape || slots() == 1)
    return 0;
  int64_t columns = parts.back().request.valueDim + 2;
  return static_cast<size_t>(slots() * places() * headsOfGroup * columns) * sizeof(float);
}

size_t AttentionDecode::residentBytes() const {
  size_t total = groups.heldBytes();
  for (const Part &part : parts)
    total += part.ready.bytes();
  return total;
}

Result<void> AttentionDecode::prepare(const DecodeShape &shape, const Heads &heads) {
  if (readyShape == shape && sameHeads(readyHeads, heads))
    return {};
  if (shape.nq < 1 || shape.nq > AttentionDecodeRequest::kMostQueries)
    return inputError(fmt::format("expected 1 to {} new queries, found {}",
                                  AttentionDecodeRequest::kMostQueries, shape.nq));
  AttentionShape all{.batch = shape.batch,
                     .heads = shape.heads,
                     .kvHeads = shape.kvHeads,
                     .nq = shape.most,
                     .n = shape.most};
  if (Result<void> ok = checkShape(all, heads); !ok)
    return ok;
  if (readyShape) { // an earlier launch may still read what is there
    if (Result<void> idle = device->synchronize(); !idle)
      return idle;
    readyShape.reset();
  }
  if (heads.count == 0)
    return {};
  if (Result<void> ok = prepareGroups(shape, heads); !ok)
    return ok;
  int64_t firstSlot = 0, count = shape.batch * groupCount * shape.nq;
  for (Part &part : parts) {
    if (Result<void> ok = prepare(part, shape, heads); !ok)
      return ok;
    part.slices = decodeSlices(part.ready.counts, shape.most * heads.count, count);
    part.firstSlot = firstSlot;
    firstSlot += part.slices;
    if (part.slices * count > INT32_MAX)
      return inputError(
          fmt::format("expected at most 2^31 - 1 work items, found {}", part.slices * count));
  }
  readyShape = shape;
  readyHeads = heads;
  return {};
}

BlockCounts AttentionDecode::blocks() const {
  BlockCounts all;
  for (const Part &part : parts) {
    all.live += part.ready.counts.live;
    all.full += part.ready.counts.full;
    all.partial += part.ready.counts.partial;
  }
  return all;
}

int64_t AttentionDecode::slots() const {
  return parts.back().firstSlot + parts.back().slices;
}

//===-- Launches ------------------------------------------------------------------------------===//

static Result<void> checkTensors(const AttentionDecodeRequest &request,
                                 const AttentionDecodeCall &call) {
  const DecodeShape &shape = call.shape;
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
Arguments AttentionDecode::arguments(const Loaded &loaded, const UploadedNumbers &numbers,
                                     const AttentionDecodeCall &call, DeviceAddress sums) const {
  const Slots &slots = loaded.slots;
  const DecodeShape &shape = call.shape;
  Arguments arguments(loaded.kernel.signature);
  auto setQueries = [&](const ViewSlot &slot, const Tensor &tensor, int64_t rowStride) {
    std::array<int64_t, 4> strides = {tensor.stride[0], tensor.stride[1], rowStride,
                                      tensor.stride[1] * call.heads.step};
    arguments.setView(slot, tensor.address, strides);
  };
  setQueries(slots.q, call.q, call.q.stride[2]);
  setQueries(slots.out, call.out, call.out.stride[2]);
  setQueries(slots.lse, call.lse, 1);
  arguments.setView(slots.k, call.k.address, call.k.stride);
  arguments.setView(slots.v, call.v.address, call.v.stride);
  int64_t ofSlot = headsOfGroup * places(), columns = parts.back().request.valueDim;
  int64_t rows = this->slots() * ofSlot;
  DeviceAddress maxima = sums + static_cast<DeviceAddress>(4 * rows * columns);
  arguments.setView(slots.partOut, sums,
                    std::array{ofSlot * columns, headsOfGroup * columns, columns});
  arguments.setView(slots.partMax, maxima, std::array{ofSlot, headsOfGroup});
  arguments.setView(slots.partSum, maxima + static_cast<DeviceAddress>(4 * rows),
                    std::array{ofSlot, headsOfGroup});
  arguments.setPointer(slots.lengths.address, call.lengths.address);
  arguments.setPointer(slots.groups, groups.address());
  arguments.setPointer(slots.keyOrder, numbers.keyOrder.address());
  arguments.setPointer(slots.rowForms, numbers.forms.address());
  arguments.setPointer(slots.blockOffsets, numbers.offsets.address());
  arguments.setPointer(slots.blockColumns, numbers.columns.address());
  arguments.set(slots.layoutStride, numbers.rowsPerHead);
  arguments.set(slots.formStride, numbers.formStride);
  arguments.set(slots.headFirst, static_cast<int32_t>(call.heads.first));
  arguments.set(slots.headStep, static_cast<int32_t>(call.heads.step));
  arguments.set(slots.groupCount, static_cast<int32_t>(groupCount));
  arguments.set(slots.nq, static_cast<int32_t>(shape.nq));
  arguments.set(slots.most, static_cast<int32_t>(shape.most));
  return arguments;
}

Result<void> AttentionDecode::launch(const Loaded &loaded, const Arguments &arguments,
                                     int64_t items) {
  const void *parameters[] = {arguments.data()};
  return device->launch(*loaded.executable, launchShape(loaded.kernel, items, 1, 1), parameters);
}

Result<void> AttentionDecode::launch(const AttentionDecodeCall &call) {
  if (Result<void> ok = prepare(call.shape, call.heads); !ok)
    return ok;
  if (call.heads.count == 0 || call.shape.batch == 0 || call.shape.most == 0)
    return {};
  const AttentionDecodeRequest &request = parts.back().request;
  if (Result<void> ok = checkTensors(request, call); !ok)
    return ok;
  Result<DeviceAddress> sums = workspace.forCall(*device, call.workspace, workspaceBytes());
  if (!sums)
    return sums.error();
  float scale = call.scale.value_or(1.0f / std::sqrt(static_cast<float>(request.headDim)));
  for (const Part &part : parts) {
    int64_t items = places() * part.slices;
    Arguments values = arguments(part.fold, part.ready, call, *sums);
    values.set(part.fold.slots.items, static_cast<int32_t>(items));
    values.set(part.fold.slots.slices, static_cast<int32_t>(part.slices));
    values.set(part.fold.slots.firstSlot, static_cast<int32_t>(part.firstSlot));
    values.set(part.fold.slots.whole, static_cast<int32_t>(slots() == 1));
    values.set(part.fold.slots.scale, scale);
    if (Result<void> ok = launch(part.fold, values, items); !ok)
      return ok;
  }
  if (slots() == 1)
    return {};
  Arguments values = arguments(*merge, parts.back().ready, call, *sums);
  values.set(merge->slots.items, static_cast<int32_t>(places()));
  values.set(merge->slots.slots, static_cast<int32_t>(slots()));
  return launch(*merge, values, places());
}

} // namespace sparsec
