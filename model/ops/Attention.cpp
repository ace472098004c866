#include "runtime/Attention.h"

#include "model/ops/AttentionTensors.h"
#include "patterns/LayerEntries.h"
#include "runtime/AttentionBackward.h"

#include <algorithm>
#include <fmt/format.h>

namespace sparsec {

namespace {

AttentionShape shapeOf(const AttentionSizes &sizes) {
  return {.batch = sizes.batch,
          .heads = sizes.heads,
          .kvHeads = sizes.heads,
          .nq = sizes.queries,
          .n = sizes.length,
          .q0 = 0};
}

Tensor lseOf(const Places &at, const BufferView &matrix, const AttentionSizes &sizes) {
  Tensor tensor = at.tensor(matrix);
  tensor.stride = {sizes.heads * sizes.queries, sizes.queries, 1};
  return tensor;
}

/// What was loaded of an entry or of a layer, with the plan of the shape that a list was made for.
template <class T, class P>
struct Planned {
  T attention;
  P plan;
  std::string kernel;
  double seconds = 0; ///< by the cost model
  size_t residentBytes() const { return plan.residentBytes(); }
};
using LoadedForward = Planned<Attention, AttentionPlan>;
using LoadedBackward = Planned<AttentionBackward, AttentionBackwardPlan>;

Result<LoadedForward> loadForward(Loader &loader, const AttentionSizes &sizes,
                                  const LayerEntry &entry) {
  const Machine &machine = loader.machine();
  const HeadEntry &head = sizes.pattern->heads[static_cast<size_t>(entry.entry)];
  AttentionRequest request{.entry =
                               symbol(sizes.pattern->name) + "_" + symbol(head.name) + "_forward",
                           .attend = simplify(head.attend),
                           .queryOrder = {},
                           .keyOrder = {},
                           .part = {},
                           .dtype = sizes.dtype,
                           .headDim = static_cast<int>(sizes.qkDim),
                           .valueDim = static_cast<int>(sizes.valueDim),
                           .block = head.schedule.block,
                           .target = machine.target};
  auto parts = machine.chooseForward(
      request, {head.schedule, sizes.length, sizes.batch * entry.heads.count});
  if (!parts)
    return parts.error();
  std::vector<AttentionPart> compiled;
  for (AttentionRequest &part : parts->parts) {
    Result<Kernel> kernel = single(loader.kernels(part));
    if (!kernel)
      return kernel.error();
    compiled.push_back({std::move(*kernel), std::move(part)});
  }
  Result<Attention> attention = Attention::load(machine.device, std::move(compiled));
  if (!attention)
    return attention.error();
  Result<AttentionPlan> plan = attention->prepare(shapeOf(sizes), entry.heads);
  if (!plan)
    return plan.error();
  std::string text = kernelText(request.entry, attention->request().block, attention->partCount());
  return LoadedForward{std::move(*attention), std::move(*plan), std::move(text), parts->seconds};
}

Result<LoadedBackward> loadBackward(Loader &loader, const AttentionSizes &sizes) {
  const Machine &machine = loader.machine();
  std::vector<BackwardEntry> entries;
  std::string text;
  size_t kernelCount = 0;
  double seconds = 0;
  for (const LayerEntry &each : sizes.entries) {
    const HeadEntry &head = sizes.pattern->heads[static_cast<size_t>(each.entry)];
    AttentionBackwardRequest request{.entry = symbol(sizes.pattern->name) + "_" +
                                              symbol(head.name) + "_backward",
                                     .attend = simplify(head.attend),
                                     .pass = AttentionBackwardRequest::Pass::Queries,
                                     .queryOrder = {},
                                     .keyOrder = {},
                                     .dtype = sizes.dtype,
                                     .headDim = static_cast<int>(sizes.qkDim),
                                     .valueDim = static_cast<int>(sizes.valueDim),
                                     .block = head.schedule.block,
                                     .target = machine.target};
    BackwardEntry entry{.queries = {}, .keys = {}};
    for (auto *pass : {&entry.queries, &entry.keys}) {
      if (pass == &entry.keys) {
        request.pass = AttentionBackwardRequest::Pass::Keys;
        request.entry += "_dkv";
      }
      auto parts = machine.chooseBackward(
          request, {head.schedule, sizes.length, sizes.batch * each.heads.count});
      if (!parts)
        return parts.error();
      seconds += parts->seconds;
      for (AttentionBackwardRequest &part : parts->parts) {
        auto kernels = loader.kernels(part);
        if (!kernels)
          return kernels.error();
        kernelCount += kernels->size();
        if (text.empty())
          text = kernelText(request.entry, kernels->back().block, 1);
        pass->push_back({std::move(part), std::move(*kernels)});
      }
    }
    entries.push_back(std::move(entry));
  }
  Result<AttentionBackward> backward = AttentionBackward::load(machine.device, std::move(entries));
  if (!backward)
    return backward.error();
  Result<AttentionBackwardPlan> plan = backward->prepare(shapeOf(sizes));
  if (!plan)
    return plan.error();
  if (kernelCount > 1)
    text += fmt::format(" and {} more", kernelCount - 1);
  return LoadedBackward{std::move(*backward), std::move(*plan), std::move(text), seconds};
}

} // namespace

std::vector<LayerEntry> entriesOfLayer(const Pattern &pattern, int64_t layer, int64_t heads) {
  std::vector<int> list = layerEntries(pattern, layer);
  std::vector<LayerEntry> entries;
  auto places = static_cast<int64_t>(list.size());
  for (int64_t place = 0; place < std::min(places, heads); ++place)
    entries.push_back({list[static_cast<size_t>(place)], headsOfEntry(place, places, heads)});
  return entries;
}

std::vector<Use> AttentionWork::uses() const {
  return {{Use::Read, "q", q},
          {Use::Read, "k", k},
          {Use::Read, "v", v},
          {Use::Written, "out", out},
          {Use::Written, "lse", lse}};
}

std::string AttentionWork::shape() const {
  return describe(sizes);
}

double AttentionWork::flops() const {
  return 2.0 * static_cast<double>(sizes.qkDim + sizes.valueDim) * sizes.pairs;
}

Result<LoadedCall> AttentionWork::load(Loader &loader) const {
  LoadedCall all;
  std::vector<std::shared_ptr<LoadedForward>> loaded;
  for (const LayerEntry &entry : sizes.entries) {
    auto attention = loader.shared<LoadedForward>(
        keyOf("forward", sizes, entry), [&] { return loadForward(loader, sizes, entry); });
    if (!attention)
      return attention.error();
    const LoadedForward &each = **attention;
    auto workspace = static_cast<int64_t>(each.plan.workspaceBytes());
    all.workspace = std::max(all.workspace, workspace); // launches in turn share it
    all.seconds += each.seconds;
    all.kernel += (all.kernel.empty() ? "" : ", ") + each.kernel;
    loaded.push_back(*attention);
  }
  all.bind = [this, loaded, device = &loader.machine().device](const Places &at) -> Launch {
    std::vector<std::pair<std::shared_ptr<LoadedForward>, AttentionCall>> launches;
    for (size_t i = 0; i < loaded.size(); ++i)
      launches.push_back({loaded[i],
                          {.q = byHeads(at, q, sizes.length, sizes.qkDim),
                           .k = byHeads(at, k, sizes.length, sizes.qkDim),
                           .v = byHeads(at, v, sizes.length, sizes.valueDim),
                           .out = byHeads(at, out, sizes.queries, sizes.valueDim),
                           .lse = lseOf(at, lse, sizes),
                           .scale = {},
                           .workspace = at.workspace()}});
    return [launches, device, advance = static_cast<DeviceAddress>(q.advance),
            decodes = sizes.queries < sizes.length](int64_t position) -> Result<void> {
      for (const auto &[each, prepared] : launches) {
        AttentionCall call = prepared;
        call.q.address += static_cast<DeviceAddress>(position) * advance;
        call.q.bytes -= static_cast<size_t>(position) * advance;
        AttentionShape shape = each->plan.shape();
        if (decodes && shape.q0 != position) { // the lists share kernels, and decode in turn
          shape.q0 = position;
          if (Result<void> idle = device->synchronize(); !idle) // the last one may still be read
            return idle;
          Result<AttentionPlan> plan = each->attention.prepare(shape, each->plan.heads());
          if (!plan)
            return plan.error();
          each->plan = std::move(*plan);
        }
        if (Result<void> launched = each->attention.launch(each->plan, call); !launched)
          return launched;
      }
      return {};
    };
  };
  return all;
}

std::vector<Use> AttentionBackwardWork::uses() const {
  return {{Use::Read, "q", q},      {Use::Read, "k", k},      {Use::Read, "v", v},
          {Use::Read, "out", out},  {Use::Read, "lse", lse},  {Use::Read, "dout", dout},
          {Use::Written, "dq", dq}, {Use::Written, "dk", dk}, {Use::Written, "dv", dv}};
}

std::string AttentionBackwardWork::shape() const {
  return describe(sizes);
}

double AttentionBackwardWork::flops() const {
  return 2.0 * static_cast<double>(3 * sizes.qkDim + 2 * sizes.valueDim) * sizes.pairs;
}

Result<LoadedCall> AttentionBackwardWork::load(Loader &loader) const {
  std::string key;
  for (const LayerEntry &entry : sizes.entries)
    key += keyOf("backward", sizes, entry) + "\n";
  auto backward = loader.shared<LoadedBackward>(key, [&] { return loadBackward(loader, sizes); });
  if (!backward)
    return backward.error();
  LoadedCall loaded{.kernel = (*backward)->kernel,
                    .seconds = (*backward)->seconds,
                    .workspace = static_cast<int64_t>((*backward)->plan.workspaceBytes()),
                    .bind = {}};
  loaded.bind = [this, backward = *backward](const Places &at) -> Launch {
    AttentionBackwardCall call{.q = byHeads(at, q, sizes.length, sizes.qkDim),
                               .k = byHeads(at, k, sizes.length, sizes.qkDim),
                               .v = byHeads(at, v, sizes.length, sizes.valueDim),
                               .out = byHeads(at, out, sizes.length, sizes.valueDim),
                               .dout = byHeads(at, dout, sizes.length, sizes.valueDim),
                               .lse = lseOf(at, lse, sizes),
                               .dlse = {},
                               .dq = byHeads(at, dq, sizes.length, sizes.qkDim),
                               .dk = byHeads(at, dk, sizes.length, sizes.qkDim),
                               .dv = byHeads(at, dv, sizes.length, sizes.valueDim),
                               .scale = {},
                               .workspace = at.workspace()};
    return [backward, call](int64_t) { return backward->attention.launch(backward->plan, call); };
  };
  return loaded;
}

} // namespace sparsec
