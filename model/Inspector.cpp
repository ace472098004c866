#include "model/Inspector.h"

#include "runtime/Float16.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr int64_t kMostRows = 64;    ///< of blocks, where that can be
constexpr int64_t kUnitColumns = 64; ///< keys whose weights one launch gives

/// The entry of a layer's pattern that a head takes.
int entryIndex(const Transformer &model, int64_t layer, int64_t head) {
  for (const LayerEntry &each : entriesOfLayer(model.pattern(), layer, model.config().model.heads))
    for (int64_t i = 0; i < each.heads.count; ++i)
      if (each.heads.first + i * each.heads.step == head)
        return each.entry;
  return 0;
}

std::vector<std::byte> inType(std::span<const float> values, DType type) {
  std::vector<std::byte> bytes;
  for (float each : values) {
    uint16_t half = type == DType::BF16 ? floatToBf16(each) : floatToF16(each);
    const auto *from = type == DType::F32 ? reinterpret_cast<const std::byte *>(&each)
                                          : reinterpret_cast<const std::byte *>(&half);
    bytes.insert(bytes.end(), from, from + sparsec::bytes(type));
  }
  return bytes;
}

std::vector<float> fromType(std::span<const std::byte> bytes, DType type) {
  std::vector<float> values(bytes.size() / static_cast<size_t>(sparsec::bytes(type)));
  for (size_t i = 0; i < values.size(); ++i) {
    if (type == DType::F32) {
      std::memcpy(&values[i], bytes.data() + i * sizeof(float), sizeof(float));
      continue;
    }
    uint16_t half = 0;
    std::memcpy(&half, bytes.data() + i * sizeof half, sizeof half);
    values[i] = type == DType::BF16 ? bf16ToFloat(half) : f16ToFloat(half);
  }
  return values;
}

} // namespace

double BlockSums::total() const {
  double sum = 0;
  for (double each : mass)
    sum += each;
  return sum;
}

double BlockSums::effectiveKeys(int64_t queries) const {
  double sum = 0;
  for (double each : squares)
    sum += each;
  return sum > 0 ? static_cast<double>(queries) / sum : 0;
}

double BlockSums::share(int64_t row, int64_t column, int64_t queries) const {
  auto inRow = static_cast<double>(std::min(block, queries - row * block));
  return mass[static_cast<size_t>(row * rows + column)] / inRow;
}

double changeOf(std::span<const BlockSums> sequences, int64_t queries) {
  const BlockSums &first = sequences.front();
  double sum = 0;
  for (int64_t row = 0; row < first.rows; ++row)
    for (int64_t column = 0; column < first.rows; ++column) {
      double mean = 0;
      for (const BlockSums &each : sequences)
        mean += each.share(row, column, queries) / static_cast<double>(sequences.size());
      for (const BlockSums &each : sequences)
        sum += std::fabs(each.share(row, column, queries) - mean) / 2;
    }
  return sum / static_cast<double>(first.rows) / static_cast<double>(sequences.size());
}

Result<Inspector> Inspector::load(Machine &machine, std::shared_ptr<const Transformer> model,
                                  int64_t sequences, int block) {
  constexpr int64_t kStep = 16, kMostBlock = 128;
  Inspector made;
  made.machine = &machine;
  made.model = std::move(model);
  made.sequences = sequences;
  int64_t n = made.model->config().model.length;
  int64_t wanted = (n + kMostRows * kStep - 1) / (kMostRows * kStep) * kStep;
  made.block = block ? block : static_cast<int>(std::clamp(wanted, kStep, kMostBlock));
  CallList list = made.model->list(ListUse::Score, {.batch = sequences, .sequences = sequences});
  auto memory = ListMemory::allocate(machine, std::span(&list, 1));
  if (!memory)
    return memory.error();
  made.memory = std::move(*memory);
  made.list = RunningList::bind(list, made.memory);
  return made;
}

AttentionShape Inspector::shape() const {
  const ModelConfig &config = model->config().model;
  return {.batch = sequences,
          .heads = config.heads,
          .kvHeads = config.heads,
          .nq = queries,
          .n = config.length,
          .q0 = 0};
}

Tensor Inspector::projection(int64_t layer, int64_t firstColumn) const {
  const ModelConfig &config = model->config().model;
  int64_t row = 2 * config.qkWidth() + config.width;
  auto element = static_cast<int64_t>(sparsec::bytes(model->dtype()));
  auto skipped = static_cast<size_t>(firstColumn * element);
  DeviceAddress begin = list.address(fmt::format("layers.{}.attention.qkv", layer));
  return {.address = begin + skipped,
          .bytes = static_cast<size_t>(sequences * config.length * row * element) - skipped,
          .stride = {config.length * row, config.qkWidth() / config.heads, row}};
}

Tensor Inspector::lse(int64_t layer) const {
  const ModelConfig &config = model->config().model;
  int64_t rows = config.heads * config.length;
  return {.address = list.address(fmt::format("layers.{}.attention.lse", layer)),
          .bytes = static_cast<size_t>(sequences * rows) * sizeof(float),
          .stride = {rows, config.length, 1}};
}

Result<void> Inspector::run(std::span<const float> weights, std::span<const uint8_t> tokens,
                            const std::function<Result<void>(AttentionView &)> &visit) {
  Device &device = machine->device;
  int64_t length = model->config().model.length;
  auto put = [&](const char *buffer, std::span<const std::byte> bytes) {
    return device.copyToDevice(memory.address(buffer), bytes.data(), bytes.size());
  };
  if (auto done = put(buffers::kParameters, std::as_bytes(weights)); !done)
    return done;
  if (model->dtype() != DType::F32)
    if (auto done = put(buffers::kWeights, inType(weights, model->dtype())); !done)
      return done;
  std::vector<int32_t> inputs, targets;
  int64_t given = static_cast<int64_t>(tokens.size()) / sequences;
  queries = std::min(given + 1, length);
  for (int64_t sequence = 0; sequence < sequences; ++sequence)
    for (int64_t i = 0; i < length; ++i) { // what follows the given ones is read by no query
      const uint8_t *token = tokens.data() + sequence * given + i;
      inputs.push_back(i == 0 || i > given ? static_cast<int32_t>(kStart) : token[-1]);
      targets.push_back(i < given ? *token : 0);
    }
  if (auto done = put(buffers::kTokens, std::as_bytes(std::span(inputs))); !done)
    return done;
  if (auto done = put(buffers::kTargets, std::as_bytes(std::span(targets))); !done)
    return done;
  std::map<std::string, int64_t> layers;
  for (int64_t layer = 0; layer < model->config().model.layers; ++layer)
    layers[fmt::format("layers.{}.attention", layer)] = layer;
  return list.each([&](const std::string &call) -> Result<void> {
    auto found = layers.find(call);
    if (found == layers.end())
      return {};
    AttentionView view(*this, found->second);
    return visit(view);
  });
}

Result<Inspector::Sums> Inspector::sumsOf(int64_t layer, int64_t head, const Expr &attend) {
  const ModelConfig &config = model->config().model;
  AttentionMassRequest request{.entry = "inside",
                               .attend = simplify(attend),
                               .dtype = model->dtype(),
                               .headDim = static_cast<int>(config.qkWidth() / config.heads),
                               .block = {block, block},
                               .target = machine->target};
  std::string key = Request(request).text();
  auto found = kernels.find(key);
  if (found == kernels.end()) {
    auto compiled = machine->store.kernels(request);
    if (!compiled)
      return compiled.error();
    auto loaded = AttentionMass::load(machine->device, **compiled, request);
    if (!loaded)
      return loaded.error();
    found = kernels.emplace(key, std::move(*loaded)).first;
  }
  AttentionMass &kernel = found->second;
  Heads one{.first = head, .step = 1, .count = 1};
  Result<AttentionMassPlan> plan = kernel.prepare(shape(), one);
  if (!plan)
    return plan.error();
  Sums sums;
  sums.blocks.assign(plan->blocks().begin(), plan->blocks().end());
  size_t count = sums.blocks.size() * static_cast<size_t>(sequences);
  sums.mass.resize(count), sums.squares.resize(count);
  if (count == 0)
    return sums;
  auto results = Buffer::allocate(machine->device, 2 * count * sizeof(float));
  if (!results)
    return results.error();
  auto part = [&](size_t i) {
    return Tensor{.address = results->address() + i * count * sizeof(float),
                  .bytes = count * sizeof(float),
                  .stride = {}};
  };
  AttentionMassCall call{.q = projection(layer, 0),
                         .k = projection(layer, config.qkWidth()),
                         .lse = lse(layer),
                         .mass = part(0),
                         .squares = part(1),
                         .scale = {}};
  if (Result<void> launched = kernel.launch(*plan, call); !launched)
    return launched.error();
  for (auto [i, into] : {std::pair{size_t(0), &sums.mass}, {size_t(1), &sums.squares}})
    if (auto copied =
            machine->device.copyToHost(into->data(), part(i).address, count * sizeof(float));
        !copied)
      return copied.error();
  return sums;
}

const HeadEntry &AttentionView::entry(int64_t head) const {
  const Transformer &model = *inspector.model;
  return model.pattern().heads[static_cast<size_t>(entryIndex(model, number, head))];
}

int64_t AttentionView::queries() const {
  return inspector.queries;
}

Result<std::vector<BlockSums>> AttentionView::sums(int64_t head) {
  auto found = inspector.sumsOf(number, head, entry(head).attend);
  if (!found)
    return found.error();
  BlockSums empty{.block = inspector.block,
                  .rows = (queries() + inspector.block - 1) / inspector.block};
  empty.mass.resize(static_cast<size_t>(empty.rows * empty.rows));
  empty.squares = empty.mass;
  std::vector<BlockSums> all(static_cast<size_t>(inspector.sequences), empty);
  size_t next = 0;
  for (BlockSums &each : all)
    for (const MassBlock &block : found->blocks) {
      auto place = static_cast<size_t>(block.row * each.rows + block.column);
      each.mass[place] = static_cast<double>(found->mass[next]);
      each.squares[place] = static_cast<double>(found->squares[next++]);
    }
  return all;
}

Result<std::vector<double>> AttentionView::mass(int64_t head, const Expr &attend) {
  auto found = inspector.sumsOf(number, head, make(Op::And, {entry(head).attend, attend}));
  if (!found)
    return found.error();
  std::vector<double> all;
  size_t next = 0;
  for (int64_t sequence = 0; sequence < inspector.sequences; ++sequence) {
    double &sum = all.emplace_back(0);
    for (size_t i = 0; i < found->blocks.size(); ++i)
      sum += static_cast<double>(found->mass[next++]);
  }
  return all;
}

/// Attention of one query over kUnitColumns columns of values.
Result<Attention *> Inspector::rowKernel(const HeadEntry &entry) {
  const ModelConfig &config = model->config().model;
  AttentionRequest request{.entry = "weights",
                           .attend = simplify(entry.attend),
                           .queryOrder = {},
                           .keyOrder = {},
                           .part = {},
                           .dtype = model->dtype(),
                           .headDim = static_cast<int>(config.qkWidth() / config.heads),
                           .valueDim = static_cast<int>(kUnitColumns),
                           .block = {},
                           .target = machine->target};
  std::string key = Request(request).text();
  if (auto found = rowKernels.find(key); found != rowKernels.end())
    return &found->second;
  auto compiled = machine->store.kernels(request);
  if (!compiled)
    return compiled.error();
  auto loaded = Attention::load(machine->device, {{(*compiled)->front(), request}});
  if (!loaded)
    return loaded.error();
  return &rowKernels.emplace(key, std::move(*loaded)).first->second;
}

/// The values are rows of the identity, as many keys at a time as it has columns: what comes out is
/// their weights.
Result<std::vector<float>> AttentionView::row(int64_t head, int64_t sequence, int64_t query) {
  Machine &machine = *inspector.machine;
  const Transformer &model = *inspector.model;
  const ModelConfig &config = model.config().model;
  int64_t n = config.length;
  auto element = static_cast<size_t>(sparsec::bytes(model.dtype()));
  auto kernel = inspector.rowKernel(entry(head));
  if (!kernel)
    return kernel.error();
  if (!inspector.unit.address()) {
    std::vector<float> unit(static_cast<size_t>(2 * n * kUnitColumns));
    for (int64_t i = 0; i < std::min(n, kUnitColumns); ++i)
      unit[static_cast<size_t>((n + i) * kUnitColumns + i)] = 1;
    auto uploaded = Buffer::upload(machine.device, inType(unit, model.dtype()));
    if (!uploaded)
      return uploaded.error();
    inspector.unit = std::move(*uploaded);
  }
  auto row = static_cast<size_t>(kUnitColumns) * element;
  auto out = Buffer::allocate(machine.device, static_cast<size_t>(config.heads) * row);
  if (!out)
    return out.error();
  Tensor q = inspector.projection(number, 0), k = inspector.projection(number, config.qkWidth());
  // One sequence, seen by itself.
  auto at = [&](Tensor tensor, int64_t position) {
    auto skipped =
        static_cast<size_t>(sequence * tensor.stride[0] + position * tensor.stride[2]) * element;
    tensor.address += skipped;
    tensor.bytes -= skipped;
    return tensor;
  };
  auto plan = (*kernel)->prepare(
      {.batch = 1, .heads = config.heads, .kvHeads = config.heads, .nq = 1, .n = n, .q0 = query},
      {.first = head, .step = 1, .count = 1});
  if (!plan)
    return plan.error();
  std::vector<float> weights;
  for (int64_t first = 0; first < n; first += kUnitColumns) {
    size_t skipped = static_cast<size_t>((n - first) * kUnitColumns) * element;
    AttentionCall call{.q = at(q, query),
                       .k = at(k, 0),
                       .v = {.address = inspector.unit.address() + skipped,
                             .bytes = inspector.unit.bytes() - skipped,
                             .stride = {n * kUnitColumns, 0, kUnitColumns}},
                       .out = {.address = out->address(),
                               .bytes = out->bytes(),
                               .stride = {config.heads * kUnitColumns, kUnitColumns, kUnitColumns}},
                       .lse = {},
                       .scale = {},
                       .workspace = {}};
    if (Result<void> launched = (*kernel)->launch(*plan, call); !launched)
      return launched.error();
    std::vector<std::byte> image(row);
    if (auto copied = machine.device.copyToHost(
            image.data(), out->address() + static_cast<size_t>(head) * row, row);
        !copied)
      return copied.error();
    std::vector<float> part = fromType(image, model.dtype());
    part.resize(static_cast<size_t>(std::min(kUnitColumns, n - first)));
    weights.insert(weights.end(), part.begin(), part.end());
  }
  return weights;
}

} // namespace sparsec
