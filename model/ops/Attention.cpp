#include "runtime/Attention.h"

#include "model/ops/Operations.h"
#include "runtime/AttentionBackward.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace sparsec {

namespace {

/// A name of letters, digits and underscores.
std::string symbol(const std::string &text) {
  std::string name = text;
  std::ranges::replace_if(
      name, [](char c) { return !isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

AttentionShape shapeOf(const AttentionSizes &sizes) {
  return {.batch = sizes.batch,
          .heads = sizes.heads,
          .kvHeads = sizes.heads,
          .nq = sizes.queries,
          .n = sizes.length,
          .q0 = 0};
}

/// Columns of a token as heads, `rows` of a sequence: [batch, heads, rows, dim].
Tensor byHeads(const Loader &loader, const BufferView &matrix, int64_t rows, int64_t dim) {
  Tensor tensor = loader.tensor(matrix);
  tensor.stride = {rows * matrix.stride, dim, matrix.stride};
  return tensor;
}

Tensor lseOf(const Loader &loader, const BufferView &matrix, const AttentionSizes &sizes) {
  Tensor tensor = loader.tensor(matrix);
  tensor.stride = {sizes.heads * sizes.queries, sizes.queries, 1};
  return tensor;
}

std::string describe(const AttentionSizes &sizes) {
  std::vector<std::string> names;
  for (const LayerEntry &each : sizes.entries)
    names.push_back(sizes.pattern->heads[static_cast<size_t>(each.entry)].name);
  return fmt::format("{} x {} heads x {}{} x {}{} {}", sizes.batch, sizes.heads,
                     sizes.queries == sizes.length ? "" : fmt::format("{} of ", sizes.queries),
                     sizes.length, sizes.qkDim,
                     sizes.valueDim == sizes.qkDim ? "" : fmt::format("/{}", sizes.valueDim),
                     fmt::join(names, "+"));
}

std::string keyOf(std::string_view what, const AttentionSizes &sizes, const LayerEntry &entry) {
  return fmt::format("{} {} {} {} {} {} {} {} {} of {} {} {} {}", what, sizes.pattern->name,
                     entry.entry, sizes.batch, sizes.heads, sizes.queries, sizes.length,
                     sizes.qkDim, sizes.valueDim, name(sizes.dtype), entry.heads.first,
                     entry.heads.step, entry.heads.count) +
         sparsec::print(sizes.pattern->heads[static_cast<size_t>(entry.entry)].attend);
}

Result<Attention> loadForward(Loader &loader, const AttentionSizes &sizes,
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
  for (AttentionRequest &part : *parts) {
    Result<Kernel> kernel = single(loader.kernels(part));
    if (!kernel)
      return kernel.error();
    compiled.push_back({std::move(*kernel), std::move(part)});
  }
  Result<Attention> attention = Attention::load(machine.device, std::move(compiled));
  if (!attention)
    return attention.error();
  if (Result<void> ready = attention->prepare(shapeOf(sizes), entry.heads); !ready)
    return ready.error();
  return attention;
}

Result<AttentionBackward> loadBackward(Loader &loader, const AttentionSizes &sizes) {
  const Machine &machine = loader.machine();
  std::vector<BackwardEntry> entries;
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
    BackwardEntry entry{.queries = {}, .keys = {}, .heads = each.heads};
    for (auto *pass : {&entry.queries, &entry.keys}) {
      if (pass == &entry.keys) {
        request.pass = AttentionBackwardRequest::Pass::Keys;
        request.entry += "_dkv";
      }
      auto parts = machine.chooseBackward(
          request, {head.schedule, sizes.length, sizes.batch * each.heads.count});
      if (!parts)
        return parts.error();
      for (AttentionBackwardRequest &part : *parts) {
        auto kernels = loader.kernels(part);
        if (!kernels)
          return kernels.error();
        pass->push_back({std::move(part), std::move(*kernels)});
      }
    }
    entries.push_back(std::move(entry));
  }
  Result<AttentionBackward> backward = AttentionBackward::load(machine.device, std::move(entries));
  if (!backward)
    return backward.error();
  if (Result<void> ready = backward->prepare(shapeOf(sizes)); !ready)
    return ready.error();
  return backward;
}

} // namespace

std::vector<LayerEntry> entriesOfLayer(const Pattern &pattern, int64_t layer, int64_t heads) {
  std::vector<int> list(pattern.heads.size());
  std::iota(list.begin(), list.end(), 0);
  if (!pattern.layers.empty())
    list = pattern.layers[static_cast<size_t>(layer) % pattern.layers.size()];
  for (size_t size = 1; size < list.size(); ++size) // the shortest list that says the same
    if (list.size() % size == 0 &&
        std::equal(list.begin() + static_cast<std::ptrdiff_t>(size), list.end(), list.begin())) {
      list.resize(size);
      break;
    }
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

Result<Launch> AttentionWork::load(Loader &loader) const {
  std::vector<std::pair<std::shared_ptr<Attention>, AttentionCall>> launches;
  for (const LayerEntry &entry : sizes.entries) {
    auto attention = loader.shared<Attention>(keyOf("forward", sizes, entry),
                                              [&] { return loadForward(loader, sizes, entry); });
    if (!attention)
      return attention.error();
    launches.push_back({*attention,
                        {.shape = shapeOf(sizes),
                         .heads = entry.heads,
                         .q = byHeads(loader, q, sizes.length, sizes.qkDim),
                         .k = byHeads(loader, k, sizes.length, sizes.qkDim),
                         .v = byHeads(loader, v, sizes.length, sizes.valueDim),
                         .out = byHeads(loader, out, sizes.queries, sizes.valueDim),
                         .lse = lseOf(loader, lse, sizes),
                         .scale = {},
                         .blocks = {}}});
  }
  return Launch([launches, advance = static_cast<DeviceAddress>(q.advance),
                 decodes = sizes.queries < sizes.length](int64_t position) -> Result<void> {
    for (const auto &[attention, prepared] : launches) {
      AttentionCall call = prepared;
      call.q.address += static_cast<DeviceAddress>(position) * advance;
      call.q.bytes -= static_cast<size_t>(position) * advance;
      if (decodes)
        call.shape.q0 = position;
      if (Result<void> launched = attention->launch(call); !launched)
        return launched;
    }
    return {};
  });
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

Result<Launch> AttentionBackwardWork::load(Loader &loader) const {
  std::string key;
  for (const LayerEntry &entry : sizes.entries)
    key += keyOf("backward", sizes, entry) + "\n";
  auto backward =
      loader.shared<AttentionBackward>(key, [&] { return loadBackward(loader, sizes); });
  if (!backward)
    return backward.error();
  AttentionBackwardCall call{.shape = shapeOf(sizes),
                             .q = byHeads(loader, q, sizes.length, sizes.qkDim),
                             .k = byHeads(loader, k, sizes.length, sizes.qkDim),
                             .v = byHeads(loader, v, sizes.length, sizes.valueDim),
                             .out = byHeads(loader, out, sizes.length, sizes.valueDim),
                             .dout = byHeads(loader, dout, sizes.length, sizes.valueDim),
                             .lse = lseOf(loader, lse, sizes),
                             .dlse = {},
                             .dq = byHeads(loader, dq, sizes.length, sizes.qkDim),
                             .dk = byHeads(loader, dk, sizes.length, sizes.qkDim),
                             .dv = byHeads(loader, dv, sizes.length, sizes.valueDim),
                             .scale = {}};
  return Launch([backward = *backward, call](int64_t) { return backward->launch(call); });
}

} // namespace sparsec
