#include "runtime/AttentionDecode.h"

#include "model/ops/AttentionTensors.h"

namespace sparsec {
namespace {

DecodeShape shapeOf(const AttentionSizes &sizes) {
  return {.batch = sizes.batch,
          .heads = sizes.heads,
          .kvHeads = sizes.heads,
          .nq = sizes.queries,
          .most = sizes.length};
}

const HeadEntry &headOf(const AttentionSizes &sizes, const LayerEntry &entry) {
  return sizes.pattern->heads[static_cast<size_t>(entry.entry)];
}

/// Ready for its one shape.
struct ReadyDecode {
  AttentionDecode kernels;
  AttentionDecodePlan plan;
  size_t residentBytes() const { return plan.residentBytes(); }
};

Result<Loaded<ReadyDecode>> loadDecode(Loader &loader, const AttentionSizes &sizes,
                                       const LayerEntry &entry) {
  const Machine &machine = loader.machine();
  const HeadEntry &head = headOf(sizes, entry);
  AttentionDecodeRequest request{.entry = symbol(sizes.pattern->name) + "_" + symbol(head.name) +
                                          "_decode",
                                 .attend = simplify(head.attend),
                                 .queryOrder = {},
                                 .keyOrder = {},
                                 .part = {},
                                 .dtype = sizes.dtype,
                                 .headDim = static_cast<int>(sizes.qkDim),
                                 .valueDim = static_cast<int>(sizes.valueDim),
                                 .target = machine.target};
  request.block.k = head.schedule.block.k;
  auto chosen =
      machine.chooseDecode(request, {head.schedule, sizes.length, sizes.batch * entry.heads.count});
  if (!chosen)
    return chosen.error();
  std::vector<DecodePart> parts;
  size_t kernelCount = 0;
  for (AttentionDecodeRequest &part : chosen->parts) {
    auto kernels = loader.kernels(part);
    if (!kernels)
      return kernels.error();
    kernelCount += kernels->size();
    parts.push_back({std::move(part), std::move(*kernels)});
  }
  Block block = parts.front().kernels.front().block;
  Result<AttentionDecode> decode = AttentionDecode::load(machine.device, std::move(parts));
  if (!decode)
    return decode.error();
  Result<AttentionDecodePlan> plan = decode->prepare(shapeOf(sizes), entry.heads);
  if (!plan)
    return plan.error();
  // The cost model weighs all positions, one after the other.
  double seconds = chosen->seconds / static_cast<double>(sizes.length);
  return Loaded<ReadyDecode>{{std::move(*decode), std::move(*plan)},
                             kernelText(request.entry, block, kernelCount),
                             seconds};
}

} // namespace

bool isDecodable(const AttentionSizes &sizes) {
  for (const LayerEntry &entry : sizes.entries)
    if (!checkDecodable(simplify(headOf(sizes, entry).attend), sizes.length, entry.heads))
      return false;
  return true;
}

std::vector<Use> AttentionDecodeWork::uses() const {
  return {{Use::Read, "q", q},
          {Use::Read, "k", k},
          {Use::Read, "v", v},
          {Use::Read, "lengths", lengths},
          {Use::Written, "out", out}};
}

std::string AttentionDecodeWork::shape() const {
  return describe(sizes);
}

Result<LoadedCall> AttentionDecodeWork::load(Loader &loader) const {
  LoadedCall all;
  std::vector<std::shared_ptr<Loaded<ReadyDecode>>> loaded;
  for (const LayerEntry &entry : sizes.entries) {
    auto decode = loader.shared<Loaded<ReadyDecode>>(
        keyOf("decode", sizes, entry), [&] { return loadDecode(loader, sizes, entry); });
    if (!decode)
      return decode.error();
    const Loaded<ReadyDecode> &each = **decode;
    auto workspace = static_cast<int64_t>(each.attention.plan.workspaceBytes());
    all.workspace = std::max(all.workspace, workspace); // launches in turn share it
    all.seconds += each.seconds;
    all.kernel += (all.kernel.empty() ? "" : ", ") + each.kernel;
    loaded.push_back(*decode);
  }
  all.bind = [this, loaded](const Places &at) -> Launch {
    std::vector<AttentionDecodeCall> calls;
    for (size_t i = 0; i < loaded.size(); ++i)
      calls.push_back({.q = byHeads(at, q, sizes.length, sizes.qkDim),
                       .k = byHeads(at, k, sizes.length, sizes.qkDim),
                       .v = byHeads(at, v, sizes.length, sizes.valueDim),
                       .out = byHeads(at, out, sizes.queries, sizes.valueDim),
                       .lse = {},
                       .lengths = at.tensor(lengths),
                       .scale = {},
                       .workspace = at.workspace()});
    return [loaded, calls,
            advance = static_cast<DeviceAddress>(q.advance)](int64_t position) -> Result<void> {
      for (size_t i = 0; i < calls.size(); ++i) {
        AttentionDecodeCall call = calls[i];
        call.q.address += static_cast<DeviceAddress>(position) * advance;
        call.q.bytes -= static_cast<size_t>(position) * advance;
        if (Result<void> launched =
                loaded[i]->attention.kernels.launch(loaded[i]->attention.plan, call);
            !launched)
          return launched;
      }
      return {};
    };
  };
  return all;
}

} // namespace sparsec
