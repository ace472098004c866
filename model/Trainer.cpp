#include "model/Trainer.h"

#include "kernel/ops/Adam.h"
#include "model/Random.h"
#include "runtime/Float16.h"

#include <cmath>
#include <fmt/format.h>
#include <numbers>

namespace sparsec {

namespace {

constexpr float kFirstLossScale = 65536; ///< of f16, as released

int64_t microOf(const TrainConfig &train) {
  return train.microBatch ? train.microBatch : train.batchSize;
}

} // namespace

double learningRate(const TrainConfig &train, int64_t step, int64_t steps) {
  auto done = static_cast<double>(step + 1), warmup = static_cast<double>(train.warmupSteps);
  if (done <= warmup)
    return train.learningRate * done / warmup;
  if (train.schedule == "constant")
    return train.learningRate;
  double rest = std::max(1.0, static_cast<double>(steps) - warmup);
  return train.learningRate * 0.5 * (1 + std::cos(std::numbers::pi * (done - warmup - 1) / rest));
}

double Score::bits() const {
  return nats / std::numbers::ln2 / static_cast<double>(tokens);
}

std::vector<CallList> Trainer::lists(const Transformer &model, ListUse use, int64_t processes) {
  const TrainConfig &train = model.config().train;
  int64_t micro = microOf(train);
  TransformerSizes sizes{.batch = micro, .sequences = train.batchSize};
  std::vector<CallList> lists = {model.list(ListUse::Score, sizes)};
  if (use == ListUse::Train) {
    lists.push_back(model.update());
    lists.push_back(model.list(ListUse::Train, sizes));
    sizes.sums = Sums::Added;
    if (micro * processes < train.batchSize)
      lists.push_back(model.list(ListUse::Train, sizes));
  }
  return lists;
}

Result<int64_t> fittingMicroBatch(Machine &planning, const Transformer &model, int64_t room,
                                  int64_t processes) {
  int64_t batch = model.config().train.batchSize / processes;
  for (int64_t micro = batch; micro > 1; --micro) {
    if (batch % micro != 0)
      continue;
    Config config = model.config();
    config.train.microBatch = micro;
    Transformer tried(config, std::make_shared<Pattern>(model.pattern()));
    std::vector<CallList> lists = Trainer::lists(tried, ListUse::Train, processes);
    planning.loaded.clear(); // what it keeps is for these sizes
    auto memory = ListMemory::allocate(planning, lists);
    if (!memory)
      return memory.error();
    if (memory->bytes() + planning.residentBytes() <= room)
      return micro;
  }
  return 1;
}

Result<Trainer> Trainer::load(Machine &machine, std::shared_ptr<const Transformer> model,
                              std::shared_ptr<const Dataset> data, ListUse use,
                              std::shared_ptr<Processes> processes) {
  Trainer trainer;
  trainer.machine = &machine;
  trainer.transformer = std::move(model);
  trainer.dataset = std::move(data);
  trainer.processes = std::move(processes);
  const TrainConfig &train = trainer.transformer->config().train;
  trainer.micro = microOf(train);
  int64_t count = trainer.processCount();
  if (use == ListUse::Train && train.batchSize % (count * trainer.micro) != 0)
    return inputError(fmt::format("expected a 'train.batch_size' that {} processes share in runs "
                                  "of {}, found {}",
                                  count, trainer.micro, train.batchSize));
  std::vector<CallList> lists = Trainer::lists(*trainer.transformer, use, count);
  auto memory = ListMemory::allocate(machine, lists);
  if (!memory)
    return memory.error();
  trainer.memory = std::move(*memory);
  for (size_t i = 0; i < lists.size(); ++i) {
    RunningList running = RunningList::bind(lists[i], trainer.memory);
    if (Result<void> recorded = running.record(machine.device); !recorded)
      return recorded.error();
    if (i == 0)
      trainer.scoring = std::move(running);
    else if (i == 1)
      trainer.update = std::move(running);
    else
      trainer.training.push_back(std::move(running));
  }
  auto sum = GradientSum::open(machine.device, trainer.processes);
  if (!sum)
    return sum.error();
  trainer.gradientSum = std::move(*sum);
  return trainer;
}

int64_t Trainer::steps() const {
  const TrainConfig &train = transformer->config().train;
  if (train.steps)
    return train.steps;
  int64_t sequences = dataset->sequences(transformer->config().model.length);
  return (train.epochs * sequences + train.batchSize - 1) / train.batchSize;
}

template <class T>
Result<void> Trainer::put(const char *buffer, std::span<const T> values, int64_t offset) {
  return machine->device.copyToDevice(memory.address(buffer) + static_cast<DeviceAddress>(offset),
                                      values.data(), values.size_bytes());
}

template <class T>
Result<void> Trainer::get(const char *buffer, std::span<T> values, int64_t offset) const {
  return machine->device.copyToHost(values.data(),
                                    memory.address(buffer) + static_cast<DeviceAddress>(offset),
                                    values.size_bytes());
}

Result<void> Trainer::initialise() {
  TrainedState start;
  start.weights =
      transformer->parameters().initial(static_cast<uint64_t>(transformer->config().train.seed));
  return setState(start);
}

Result<void> Trainer::setState(const TrainedState &state, const Json &optimiser) {
  if (auto done = put<float>(buffers::kParameters, state.weights); !done)
    return done;
  if (DType type = transformer->dtype(); type != DType::F32) {
    std::vector<uint16_t> rounded;
    for (float weight : state.weights)
      rounded.push_back(type == DType::BF16 ? floatToBf16(weight) : floatToF16(weight));
    if (auto done = put<uint16_t>(buffers::kWeights, rounded); !done)
      return done;
  }
  if (!update)
    return {};
  std::vector<float> zeros(state.weights.size());
  if (auto done = put<float>(buffers::kGradients, zeros); !done)
    return done;
  if (auto done = put<float>(buffers::kFirst, state.first.empty() ? zeros : state.first); !done)
    return done;
  if (auto done = put<float>(buffers::kSecond, state.second.empty() ? zeros : state.second); !done)
    return done;
  AdamState start;
  start.reals.lossScale = transformer->dtype() == DType::F16 ? kFirstLossScale : 1;
  if (!optimiser.is_null()) {
    start.reals.lossScale = optimiser.value("loss_scale", start.reals.lossScale);
    start.integers.step = optimiser.value("steps", start.integers.step);
    start.integers.clean = optimiser.value("clean_steps", start.integers.clean);
    start.integers.overflows = optimiser.value("skipped_steps", start.integers.overflows);
  }
  return put<AdamState>(buffers::kState, std::span(&start, 1));
}

Result<void> Trainer::read(StatePart part, int64_t offset, std::span<float> into) const {
  const char *buffer = part == StatePart::Weights ? buffers::kParameters
                       : part == StatePart::First ? buffers::kFirst
                                                  : buffers::kSecond;
  return get<float>(buffer, into, offset * static_cast<int64_t>(sizeof(float)));
}

Result<TrainedState> Trainer::state() const {
  TrainedState all;
  auto elements = static_cast<size_t>(transformer->parameters().elements());
  for (auto [part, values] : {std::pair{StatePart::Weights, &all.weights},
                              {StatePart::First, &all.first},
                              {StatePart::Second, &all.second}}) {
    if (values != &all.weights && !update)
      continue;
    values->resize(elements);
    if (auto done = read(part, 0, *values); !done)
      return done.error();
  }
  return all;
}

Result<Json> Trainer::optimiser() const {
  AdamState now;
  if (auto done = get<AdamState>(buffers::kState, std::span(&now, 1)); !done)
    return done.error();
  return Json{{"loss_scale", now.reals.lossScale},
              {"steps", now.integers.step},
              {"clean_steps", now.integers.clean},
              {"skipped_steps", now.integers.overflows}};
}

/// A sequence of the batch: what is shorter than it is padded, and does not count.
void Trainer::Batch::set(int64_t sequence, std::span<const uint8_t> values, int64_t length,
                         int64_t first, int64_t last) {
  auto begin = static_cast<size_t>(sequence * length);
  tokens.resize(std::max(tokens.size(), begin + static_cast<size_t>(length)));
  targets.resize(tokens.size(), -1);
  for (int64_t t = 0; t < length; ++t) {
    auto at = static_cast<size_t>(t);
    tokens[begin + at] = t == 0                ? static_cast<int32_t>(kStart)
                         : at <= values.size() ? values[at - 1]
                                               : 0;
    targets[begin + at] = t >= first && t < last ? values[at] : -1;
  }
}

Result<void> Trainer::upload(const Batch &batch) {
  if (auto done = put<int32_t>(buffers::kTokens, batch.tokens); !done)
    return done;
  return put<int32_t>(buffers::kTargets, batch.targets);
}

Error Trainer::notFinite(const RunningList &list, int64_t index) {
  auto where = list.firstNotFinite(machine->device);
  if (!where)
    return where.error();
  return inputError(fmt::format("step {} is not finite: the first tensor that is not is {}",
                                index + 1, where->empty() ? "a sum of gradients" : *where));
}

/// Gradients, and the loss, of which each process has its share.
Result<void> Trainer::sumOverProcesses(double &loss) {
  if (processCount() == 1)
    return {};
  if (Result<void> added = gradientSum.sum(memory.address(buffers::kGradients),
                                           transformer->parameters().elements());
      !added)
    return added;
  return processes->sum(std::span(&loss, 1));
}

Result<StepResult> Trainer::step(int64_t index) {
  const Config &config = transformer->config();
  int64_t length = config.model.length, runs = config.train.batchSize / micro;
  int64_t share = runs / processCount(), first = processes ? processes->rank() * share : 0;
  auto seed = static_cast<uint64_t>(config.train.seed);
  StepResult result;
  for (int64_t run = first; run < first + share; ++run) {
    Batch batch;
    int64_t number = index * config.train.batchSize + run * micro;
    for (int64_t i = 0; i < micro; ++i)
      batch.set(i, dataset->sequence(number + i, length, seed), length, 0, length);
    if (auto done = upload(batch); !done)
      return done.error();
    if (config.model.dropout > 0) {
      uint64_t mask =
          CounterRandom(seed, RandomStream::Dropout).bits(static_cast<uint64_t>(number));
      if (auto done = put<uint64_t>(buffers::kSeed, std::span(&mask, 1)); !done)
        return done.error();
    }
    const RunningList &list = training[run == first ? 0 : 1];
    if (auto done = list.enqueue(); !done)
      return done.error();
    float loss = 0;
    if (auto done = get<float>(buffers::kTotal, std::span(&loss, 1)); !done)
      return done.error();
    if (!std::isfinite(loss))
      return notFinite(list, index);
    result.loss += static_cast<double>(loss) / static_cast<double>(runs);
  }
  if (Result<void> added = sumOverProcesses(result.loss); !added)
    return added.error();
  result.learningRate = learningRate(config.train, index, steps());
  auto rate = static_cast<float>(result.learningRate);
  if (auto done = put<float>(buffers::kState, std::span<const float>(&rate, 1)); !done)
    return done.error();
  if (auto done = update->enqueue(); !done)
    return done.error();
  AdamState state;
  if (auto done = get<AdamState>(buffers::kState, std::span(&state, 1)); !done)
    return done.error();
  // With a loss scale the step is skipped, and the next one has a smaller scale.
  if (state.integers.overflow && transformer->dtype() != DType::F16)
    return notFinite(training[share > 1 ? 1 : 0], index);
  result.gradNorm = state.reals.norm;
  result.lossScale = state.reals.lossScale;
  result.skipped = state.integers.overflows;
  return result;
}

Result<Score> Trainer::score(Split split, const ScoreRequest &request) {
  int64_t length = transformer->config().model.length;
  std::span<const uint8_t> all = dataset->tokens(split);
  std::vector<Window> windows = dataset->windows(split, length, request.minContext, request.tokens);
  Score score;
  int64_t turn = 0;
  for (size_t next = 0; next < windows.size(); ++turn) {
    if (processes && turn % processCount() != processes->rank()) { // another's
      next += static_cast<size_t>(micro);
      continue;
    }
    Batch batch;
    for (int64_t i = 0; i < micro; ++i, ++next) {
      Window window = next < windows.size() ? windows[next] : Window{};
      auto begin = static_cast<size_t>(window.begin);
      batch.set(i, all.subspan(begin, std::min(all.size() - begin, static_cast<size_t>(length))),
                length, window.first, window.last);
      score.tokens += window.last - window.first;
    }
    if (auto done = upload(batch); !done)
      return done.error();
    if (auto done = scoring->enqueue(); !done)
      return done.error();
    float total = 0;
    if (auto done = get<float>(buffers::kTotal, std::span(&total, 1)); !done)
      return done.error();
    score.nats += static_cast<double>(total);
  }
  if (processes) {
    double sums[] = {score.nats, static_cast<double>(score.tokens)};
    if (Result<void> added = processes->sum(std::span(sums)); !added)
      return added.error();
    score = {.nats = sums[0], .tokens = static_cast<int64_t>(sums[1])};
  }
  return score;
}

Result<std::vector<float>> Trainer::losses(std::span<const uint8_t> tokens) {
  int64_t length = transformer->config().model.length;
  auto sequences = static_cast<int64_t>(tokens.size()) / length;
  std::vector<float> all(static_cast<size_t>(sequences * length));
  for (int64_t next = 0; next < sequences; next += micro) {
    Batch batch;
    for (int64_t i = 0; i < micro; ++i)
      batch.set(i,
                next + i < sequences ? tokens.subspan(static_cast<size_t>((next + i) * length),
                                                      static_cast<size_t>(length))
                                     : std::span<const uint8_t>(),
                length, 0, next + i < sequences ? length : 0);
    if (auto done = upload(batch); !done)
      return done.error();
    if (auto done = scoring->enqueue(); !done)
      return done.error();
    auto count = static_cast<size_t>(std::min(micro, sequences - next) * length);
    if (auto done = get<float>(buffers::kLosses,
                               std::span(all).subspan(static_cast<size_t>(next * length), count));
        !done)
      return done.error();
  }
  return all;
}

} // namespace sparsec
