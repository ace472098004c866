#include "tests/model/ModelOnDevice.h"

#include "codegen/ChooseSchedule.h"
#include "codegen/Compiler.h"
#include "model/Random.h"

#include <cstdlib>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

/// The value, or the end of the test's process with the error's text.
template <class T>
T must(Result<T> result) {
  if (!result) {
    fputs(result.error().render().c_str(), stderr);
    std::abort();
  }
  return *std::move(result);
}
void must(const Result<void> &result) {
  if (!result) {
    fputs(result.error().render().c_str(), stderr);
    std::abort();
  }
}

template <class R>
Result<ChosenParts<R>> choose(const R &request, const AttentionWeight &weight) {
  auto chosen = chooseSchedule(ScheduleRequest<R>(
      request, {.schedule = weight.schedule, .n = weight.n, .copies = weight.copies}));
  if (!chosen)
    return chosen.error();
  return ChosenParts<R>{std::move(chosen->parts), chosen->ways.front().cost.seconds};
}

} // namespace

TestMachine::TestMachine(const std::string &name, int threads) {
  const char *asked = std::getenv("SPARSEC_TEST_DEVICE");
  device = must(openDevice(!name.empty() ? name : asked ? asked : "cpu", {.threads = threads}));
  store = std::make_unique<KernelStore>([](const Request &request) { return compile(request); },
                                        compilerVersion());
  machine = std::make_unique<Machine>(Machine{.device = *device,
                                              .store = *store,
                                              .target = targetOf(*device),
                                              .chooseForward = choose<AttentionRequest>,
                                              .chooseBackward = choose<AttentionBackwardRequest>,
                                              .chooseDecode = choose<AttentionDecodeRequest>,
                                              .loaded = {}});
}

Machine &testMachine() {
  static TestMachine machine;
  return *machine;
}

Config smallConfig(const std::string &pattern, const std::map<std::string, int64_t> &params,
                   const std::vector<ConfigOverride> &overrides) {
  std::vector<ConfigOverride> all = {{"model",
                                      "{length: 96, layers: 2, width: 32, heads: 2, "
                                      "ff_ratio: 2, positions: {row: t // 8, column: t % 8}}"},
                                     {"valid", "{tokens: all, min_context: 0}"}};
  all.insert(all.end(), overrides.begin(), overrides.end());
  Config config = must(parseConfig(configFile("enwik8-small"), all));
  config.attention = {pattern, params};
  return config;
}

std::shared_ptr<const Transformer> transformerOf(const Config &config) {
  return std::make_shared<const Transformer>(config, must(loadPattern(config.attention)));
}

std::vector<float> randomWeights(const Parameters &parameters, uint64_t seed) {
  std::vector<float> flat(static_cast<size_t>(parameters.elements()));
  uint32_t index = 0;
  for (const Parameter &each : parameters.all()) {
    CounterRandom random(seed, RandomStream::Initial, index++);
    double deviation = each.rows > 0 ? 0.6 / std::sqrt(static_cast<double>(each.columns)) : 0.2;
    for (int64_t i = 0; i < each.size(); ++i)
      flat[static_cast<size_t>(each.offset + i)] =
          static_cast<float>(each.fill + deviation * random.normal(static_cast<uint64_t>(i))[0]);
  }
  return flat;
}

std::vector<uint8_t> randomTokens(int64_t count, uint64_t seed) {
  CounterRandom random(seed, RandomStream::Sample);
  std::vector<uint8_t> tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<uint8_t>(random.bits(static_cast<uint64_t>(i))));
  return tokens;
}

GradientRun::GradientRun(Machine &machine, std::shared_ptr<const Transformer> model, int64_t batch,
                         int64_t runs)
    : machine(machine), model(std::move(model)), batch(batch), runs(runs) {
  TransformerSizes sizes{.batch = batch / runs, .sequences = batch};
  std::vector<CallList> made = {this->model->list(ListUse::Train, sizes)};
  sizes.sums = Sums::Added;
  made.push_back(this->model->list(ListUse::Train, sizes));
  memory = must(ListMemory::allocate(machine, made));
  for (size_t i = 0; i < (runs > 1 ? 2u : 1u); ++i)
    lists.push_back(RunningList::bind(made[i], memory));
}

Gradients GradientRun::operator()(const std::vector<float> &weights,
                                  const std::vector<uint8_t> &tokens, uint64_t seed) {
  int64_t length = model->config().model.length, rows = batch / runs * length;
  auto put = [&](const char *buffer, const void *values, size_t bytes) {
    must(machine.device.copyToDevice(memory.address(buffer), values, bytes));
  };
  auto get = [&](const char *buffer, void *values, size_t bytes) {
    must(machine.device.copyToHost(values, memory.address(buffer), bytes));
  };
  put(buffers::kParameters, weights.data(), weights.size() * sizeof(float));
  std::vector<float> unset(weights.size(), NAN); // gradients are written, not added to
  put(buffers::kGradients, unset.data(), unset.size() * sizeof(float));
  if (model->config().model.dropout > 0)
    put(buffers::kSeed, &seed, sizeof seed);
  Gradients result;
  for (int64_t run = 0; run < runs; ++run) {
    std::vector<int32_t> inputs, targets;
    for (int64_t r = run * rows; r < (run + 1) * rows; ++r) {
      inputs.push_back(r % length == 0 ? static_cast<int32_t>(kStart)
                                       : tokens[static_cast<size_t>(r - 1)]);
      targets.push_back(tokens[static_cast<size_t>(r)]);
    }
    put(buffers::kTokens, inputs.data(), inputs.size() * sizeof(int32_t));
    put(buffers::kTargets, targets.data(), targets.size() * sizeof(int32_t));
    must(lists[run == 0 ? 0 : 1].enqueue());
    float loss = 0;
    get(buffers::kTotal, &loss, sizeof loss);
    result.loss += static_cast<double>(loss) / static_cast<double>(runs);
    std::vector<float> losses(static_cast<size_t>(rows));
    get(buffers::kLosses, losses.data(), losses.size() * sizeof(float));
    result.losses.insert(result.losses.end(), losses.begin(), losses.end());
  }
  result.flat.resize(weights.size());
  get(buffers::kGradients, result.flat.data(), result.flat.size() * sizeof(float));
  return result;
}

Values byName(const Parameters &parameters, const std::vector<float> &flat) {
  Values values;
  for (const Parameter &each : parameters.all())
    values[each.name].assign(flat.begin() + each.offset, flat.begin() + each.offset + each.size());
  return values;
}

} // namespace sparsec
