// sparsec train CONFIG: trains a model, or prints what it would run (--dry-run).
#include "model/TrainLoop.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/DryRun.h"
#include "tools/sparsec/MemoryTable.h"
#include "tools/sparsec/ModelFlags.h"
#include "tools/sparsec/Options.h"
#include "tools/sparsec/Version.h"

#include <fmt/format.h>

namespace sparsec::cli {
namespace {

struct TrainOptions {
  std::string config, data, pattern, out, device, target;
  std::vector<std::string> sets;
  std::optional<int64_t> steps, until;
  bool resume = false, dryRun = false, times = false;
};

/// The config as it was asked for, every default filled in.
Result<Config> configOf(const TrainOptions &asked) {
  auto text = findConfig(asked.config);
  if (!text)
    return text.error();
  std::vector<ConfigOverride> overrides;
  if (!asked.pattern.empty()) { // its own parameters, unless --set gives others
    overrides.push_back({"attention.pattern", asked.pattern});
    overrides.push_back({"attention.params", "{}"});
  }
  for (const std::string &set : asked.sets) {
    auto read = readOverride(set);
    if (!read)
      return read.error();
    overrides.push_back(std::move(*read));
  }
  auto config = parseConfig(*text, overrides);
  if (!config)
    return config.error();
  if (asked.steps) {
    config->train.steps = *asked.steps;
    config->train.epochs = 0;
  }
  return config;
}

/// What fits the device, where the config leaves it open. `store`: of the device's machine.
Result<void> settleMicroBatch(Config &config, const std::shared_ptr<const Pattern> &pattern,
                              const Target &target, KernelStore *store, Device *device,
                              int64_t processes = 1) {
  if (config.train.microBatch)
    return {};
  config.train.microBatch = std::max<int64_t>(1, config.train.batchSize / processes);
  if (!device)
    return {};
  auto left = device->freeBytes();
  if (!left)
    return left.error();
  constexpr double kTaken = 0.9; // the rest is for code, the driver and neighbours
  PlanningMachine planning = planningMachine(target, store);
  auto micro =
      fittingMicroBatch(*planning.machine, Transformer(config, pattern),
                        static_cast<int64_t>(kTaken * static_cast<double>(*left)), processes);
  if (!micro)
    return micro.error();
  config.train.microBatch = *micro;
  return {};
}

/// A run that is new, or the one that goes on.
struct Opened {
  RunFolder folder;
  std::optional<RunState> from;
  Config config; ///< of a new run its micro batch may be open
  std::shared_ptr<const Pattern> pattern;
  std::string data;
};

Result<Opened> openRun(const TrainOptions &asked) {
  auto folder = RunFolder::open(asked.out);
  if (!folder)
    return folder.error();
  auto model = modelOf(*folder);
  if (!model)
    return model.error();
  if (!asked.config.empty()) {
    auto config = configOf(asked);
    if (!config)
      return config.error();
    if (config->train.microBatch == 0)
      config->train.microBatch = (*model)->config().train.microBatch;
    if (print(*config) != print((*model)->config()))
      return inputError(fmt::format("{}: the config is not that of the run; leave CONFIG out to "
                                    "go on with its own",
                                    asked.out));
  }
  auto from = folder->lastCheckpoint();
  if (!from)
    return from.error();
  std::string data = asked.data.empty() ? folder->origin().data : asked.data;
  return Opened{std::move(*folder), std::move(*from), (*model)->config(),
                std::make_shared<const Pattern>((*model)->pattern()), data};
}

/// This process among those that train together, and its device.
struct Worker {
  std::shared_ptr<Processes> processes;
  ModelMachine machine;
};

/// With the batch cut into runs that fit, the same for all.
Result<Worker> openWorker(const Session &session, const TrainOptions &asked, Opened &opened) {
  auto place = ProcessPlace::fromEnvironment();
  if (!place)
    return place.error();
  auto processes = Processes::open(place->value_or(ProcessPlace()));
  if (!processes)
    return processes.error();
  DeviceOptions options{.threads = session.threads};
  if (*place) {
    options.threads = std::max(1, options.threads / (*place)->localCount);
    options.ordinal = (*place)->localRank;
  }
  auto machine = openMachine(asked.device, options);
  if (!machine)
    return machine.error();
  int64_t &micro = opened.config.train.microBatch;
  if (auto settled =
          settleMicroBatch(opened.config, opened.pattern, machine->machine->target,
                           machine->store.get(), machine->device.get(), (*processes)->count());
      !settled)
    return settled.error();
  if (auto agreed = (*processes)->broadcast(std::as_writable_bytes(std::span(&micro, 1))); !agreed)
    return agreed.error();
  return Worker{std::move(*processes), std::move(*machine)};
}

void printProgress(const TrainReport &report) {
  if (report.validBits) {
    fmt::print(stderr, "step {:>6} of {}  validation {:.4f} bits\n", report.step, report.steps,
               *report.validBits);
    return;
  }
  auto left = static_cast<int64_t>(report.secondsLeft);
  fmt::print(stderr,
             "step {:>6} of {}  {:.4f} bits  {:.0f} tokens/s  gradient {:.3f}  {}:{:02}:{:02} "
             "left\n",
             report.step, report.steps, report.bits, report.tokensPerSecond, report.gradNorm,
             left / 3600, left / 60 % 60, left % 60);
}

Result<Answer> runTraining(const Session &session, const TrainOptions &asked, Opened opened) {
  auto data = Dataset::open(opened.config, opened.data);
  if (!data)
    return data.error();
  auto worker = openWorker(session, asked, opened);
  if (!worker)
    return worker.error();
  ModelMachine *machine = &worker->machine;
  auto model = std::make_shared<const Transformer>(opened.config, opened.pattern);
  auto trainer =
      Trainer::load(*machine->machine, model, std::make_shared<const Dataset>(std::move(*data)),
                    ListUse::Train, worker->processes);
  if (!trainer)
    return trainer.error();
  if (!asked.resume && trainer->isFirst()) {
    auto made = RunFolder::create(asked.out, {.version = kVersion, .data = opened.data},
                                  print(model->config()), print(model->pattern()));
    if (!made)
      return made.error();
    opened.folder = std::move(*made);
  }
  if (trainer->isFirst())
    session.report(fmt::format("{} on {} ({}): {} parameters, {} of memory planned\n",
                               model->config().name, machine->device->name(),
                               machine->device->description(), model->parameters().count(),
                               megabytes(trainer->plannedBytes())));
  TrainRun run{.folder = opened.folder,
               .from = opened.from,
               .until = asked.until.value_or(0),
               .threads = session.threads,
               .version = kVersion,
               .device = std::string(machine->device->name()),
               .report = {}};
  if (!session.quiet && trainer->isFirst())
    run.report = printProgress;
  if (Result<void> trained = train(*trainer, run); !trained)
    return trained.error();
  if (session.json && trainer->isFirst())
    fmt::print("{}\n", Json{{"run", asked.out}}.dump(2));
  return Answer::Yes;
}

/// On the device that would run it, or on none of a target that is asked for.
Result<Answer> planTraining(const Session &session, const TrainOptions &asked, Config config,
                            const std::shared_ptr<const Pattern> &pattern) {
  std::unique_ptr<Device> device;
  if (asked.target.empty()) {
    auto chosen = chooseDevice(asked.device, {.threads = session.threads});
    if (!chosen)
      return chosen.error();
    device = std::move(*chosen);
  }
  auto target = device ? Result<Target>(targetOf(*device)) : findTarget(asked.target);
  if (!target)
    return target.error();
  PlanningMachine planning = planningMachine(*target);
  if (auto settled =
          settleMicroBatch(config, pattern, *target, &planning.machine->store, device.get());
      !settled)
    return settled.error();
  if (auto planned = dryRun(session, Transformer(config, pattern), *planning.machine); !planned)
    return planned.error();
  return Answer::Yes;
}

Result<Answer> runTrain(const Session &session, const TrainOptions &asked) {
  if (asked.resume) {
    auto opened = openRun(asked);
    if (!opened)
      return opened.error();
    return runTraining(session, asked, std::move(*opened));
  }
  auto config = configOf(asked);
  if (!config)
    return config.error();
  auto pattern = loadPattern(config->attention);
  if (!pattern)
    return pattern.error();
  if (Result<void> back = checkLooksBack(**pattern, config->model); !back)
    return back.error();
  if (asked.dryRun)
    return planTraining(session, asked, std::move(*config), *pattern);
  if (!asked.times)
    return runTraining(session, asked,
                       {.folder = {},
                        .from = {},
                        .config = std::move(*config),
                        .pattern = *pattern,
                        .data = asked.data});
  auto machine = openMachine(asked.device, {.threads = session.threads});
  if (!machine)
    return machine.error();
  if (auto settled = settleMicroBatch(*config, *pattern, machine->machine->target,
                                      machine->store.get(), machine->device.get());
      !settled)
    return settled.error();
  if (auto timed = timeStep(session, Transformer(*config, *pattern), *machine->machine); !timed)
    return timed.error();
  return Answer::Yes;
}

} // namespace

Action declareTrain(Options &options) {
  auto asked = std::make_shared<TrainOptions>();
  auto text = [](std::string &into) {
    return [&into](const std::string &given) {
      into = given;
      return std::string();
    };
  };
  options.positional("CONFIG", asked->config);
  options.heading("Train");
  options.value("--data", "PATH", "the data set: a file or a folder, by data.kind",
                text(asked->data));
  options.value("--pattern", "PATTERN", "in place of the config's: a zoo name or a path",
                text(asked->pattern));
  options.repeated("--set", "K=V", "set a key of the config, as train.seed=2 (repeatable)",
                   [asked](const std::string &given) {
                     asked->sets.push_back(given);
                     return std::string();
                   });
  options.integer("--steps", "of the whole schedule", asked->steps);
  options.integer("--until", "stop after this step", asked->until);
  options.value("-o,--out", "RUN", "the folder of the run", text(asked->out));
  options.flag("--resume", "go on with the run in --out", asked->resume);
  options.flag("--dry-run", "print the calls of a step and their memory", asked->dryRun);
  options.choice("--target", "TARGET",
                 "with --dry-run, for " + listed(targetNames()) + " (the device's)", asked->target,
                 targetNames());
  options.flag("--times", "time a step on random tokens, and print each operation's share",
               asked->times);
  declareDeviceFlag(options, asked->device);
  options.check([asked]() -> std::string {
    if (asked->config.empty() && !asked->resume)
      return "CONFIG: missing: a path, or one of " + listed(configNames());
    bool runs = !asked->dryRun && !asked->times;
    if (!asked->target.empty() && !asked->dryRun)
      return "--target: only with --dry-run";
    if (asked->resume && !runs)
      return "--resume: not with --dry-run or --times";
    if (asked->out.empty() && runs)
      return "--out: missing: the folder of the run";
    return "";
  });
  return [asked](Session &session) { return runTrain(session, *asked); };
}

} // namespace sparsec::cli
