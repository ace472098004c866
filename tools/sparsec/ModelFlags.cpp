#include "tools/sparsec/ModelFlags.h"

#include "codegen/ChooseSchedule.h"
#include "codegen/Compiler.h"
#include "kernel/CompilerStamp.h"
#include "runtime/CountingDevice.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/Options.h"
#include "tools/sparsec/PatternFlags.h"

#include <filesystem>
#include <fmt/format.h>

namespace sparsec::cli {
namespace {

template <class R>
Result<ChosenParts<R>> choose(const R &request, const AttentionWeight &weight) {
  auto chosen = chooseSchedule(ScheduleRequest<R>(
      request, {.schedule = weight.schedule, .n = weight.n, .copies = weight.copies}));
  if (!chosen)
    return chosen.error();
  return ChosenParts<R>{std::move(chosen->parts), chosen->ways.front().cost.seconds};
}

std::shared_ptr<DiskStore> openStore() {
  return openEnvironmentStore(
      [](const std::string &text) { fmt::print(stderr, "warning: {}\n", text); });
}

std::unique_ptr<KernelStore> makeStore() {
  return std::make_unique<KernelStore>([](const Request &request) { return compile(request); },
                                       compilerStamp(), openStore());
}

std::unique_ptr<Machine> makeMachine(Device &device, KernelStore &store, const Target &target) {
  return std::make_unique<Machine>(Machine{.device = device,
                                           .store = store,
                                           .target = target,
                                           .chooseForward = choose<AttentionRequest>,
                                           .chooseBackward = choose<AttentionBackwardRequest>,
                                           .chooseDecode = choose<AttentionDecodeRequest>,
                                           .loaded = {}});
}

} // namespace

Result<ModelMachine> openMachine(const std::string &asked, const DeviceOptions &options) {
  DeviceOptions own = options;
  own.store = openStore();
  auto device = chooseDevice(asked, own);
  if (!device)
    return device.error();
  ModelMachine made{.device = std::move(*device), .store = makeStore(), .machine = {}};
  made.machine = makeMachine(*made.device, *made.store, targetOf(*made.device));
  return made;
}

PlanningMachine planningMachine(const Target &target, KernelStore *store) {
  PlanningMachine made{.device = std::make_unique<CountingDevice>(),
                       .own = store ? nullptr : makeStore(),
                       .machine = {}};
  made.machine = makeMachine(*made.device, store ? *store : *made.own, target);
  return made;
}

Result<std::shared_ptr<const SourceText>> findConfig(const std::string &name) {
  if (name.find('/') != std::string::npos || name.ends_with(".yaml") || name.ends_with(".yml"))
    return readSource(name);
  if (auto file = configFile(name))
    return file;
  Error error =
      inputError(fmt::format("there is no config '{}'{}", name, suggestion(name, configNames())));
  error.notes.push_back(
      fmt::format("there are {}; a path has a '/' or ends in .yaml", listed(configNames(), "and")));
  return error;
}

Result<std::shared_ptr<const Transformer>> modelOf(const RunFolder &run) {
  auto text = run.config();
  if (!text)
    return text.error();
  auto config = parseConfig(*text);
  if (!config)
    return config.error();
  auto pattern = loadPattern({.pattern = run.patternPath(), .params = {}});
  if (!pattern)
    return pattern.error();
  return std::make_shared<const Transformer>(std::move(*config), *pattern);
}

Result<RunWeights> weightsOf(const RunFolder &run, const Parameters &parameters) {
  RunWeights found;
  std::error_code ignored;
  found.file = run.bestPath();
  if (!std::filesystem::exists(found.file, ignored)) {
    auto last = run.lastCheckpoint();
    if (!last)
      return last.error();
    if (!*last)
      return inputError(
          fmt::format("{}: has neither best.safetensors nor a checkpoint yet", run.path()));
    found.file = run.checkpointPath((*last)->step);
  }
  found.state.weights.resize(static_cast<size_t>(parameters.elements()));
  if (auto read = readParameters(found.file, parameters, found.state.weights); !read)
    return read.error();
  return found;
}

} // namespace sparsec::cli
