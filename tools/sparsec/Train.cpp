// sparsec train CONFIG: trains a model, or prints what it would run (--dry-run).
#include "model/TrainLoop.h"
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/DryRun.h"
#include "tools/sparsec/ModelFlags.h"
#include "tools/sparsec/Options.h"
#include "tools/sparsec/Version.h"

#include <fmt/format.h>

namespace sparsec::cli {
namespace {

struct TrainOptions {
  std::string config, data, pattern, out, device;
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
  if (config->train.microBatch == 0)
    config->train.microBatch = config->train.batchSize;
  return config;
}

/// A run that is new, or the one that goes on.
struct Opened {
  RunFolder folder;
  std::optional<RunState> from;
  std::shared_ptr<const Transformer> model;
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
    if (print(*config) != print((*model)->config()))
      return inputError(fmt::format("{}: the config is not that of the run; leave CONFIG out to "
                                    "go on with its own",
                                    asked.out));
  }
  auto from = folder->lastCheckpoint();
  if (!from)
    return from.error();
  std::string data = asked.data.empty() ? folder->origin().data : asked.data;
  return Opened{std::move(*folder), std::move(*from), *model, data};
}

Result<Answer> runTraining(const Session &session, const TrainOptions &asked, Opened opened) {
  auto data = Dataset::open(opened.model->config(), opened.data);
  if (!data)
    return data.error();
  auto machine = openMachine(asked.device, session.threads);
  if (!machine)
    return machine.error();
  auto trainer = Trainer::load(*machine->machine, opened.model,
                               std::make_shared<const Dataset>(std::move(*data)));
  if (!trainer)
    return trainer.error();
  if (!asked.resume) {
    auto made = RunFolder::create(asked.out, {.version = kVersion, .data = opened.data},
                                  print(opened.model->config()), print(opened.model->pattern()));
    if (!made)
      return made.error();
    opened.folder = std::move(*made);
  }
  session.report(fmt::format("{} on {} ({}): {} parameters, {} of memory planned\n",
                             opened.model->config().name, machine->device->name(),
                             machine->device->description(), opened.model->parameters().count(),
                             megabytes(trainer->plannedBytes())));
  TrainRun run{.folder = opened.folder,
               .from = opened.from,
               .until = asked.until.value_or(0),
               .threads = session.threads,
               .version = kVersion,
               .device = std::string(machine->device->name()),
               .report = {}};
  if (!session.quiet)
    run.report = [](const TrainReport &report) {
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
    };
  if (Result<void> trained = train(*trainer, run); !trained)
    return trained.error();
  if (session.json)
    fmt::print("{}\n", Json{{"run", asked.out}}.dump(2));
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
  auto model = std::make_shared<const Transformer>(std::move(*config), *pattern);
  if (asked.dryRun) {
    dryRun(session, *model);
    return Answer::Yes;
  }
  if (asked.times) {
    auto machine = openMachine(asked.device, session.threads);
    if (!machine)
      return machine.error();
    if (auto timed = timeStep(session, *model, *machine->machine); !timed)
      return timed.error();
    return Answer::Yes;
  }
  return runTraining(session, asked,
                     {.folder = {}, .from = {}, .model = model, .data = asked.data});
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
  options.flag("--times", "time a step on random tokens, and print each operation's share",
               asked->times);
  declareDeviceFlag(options, asked->device);
  options.check([asked]() -> std::string {
    if (asked->config.empty() && !asked->resume)
      return "CONFIG: missing: a path, or one of " + listed(configNames());
    bool runs = !asked->dryRun && !asked->times;
    if (asked->resume && !runs)
      return "--resume: not with --dry-run or --times";
    if (asked->out.empty() && runs)
      return "--out: missing: the folder of the run";
    return "";
  });
  return [asked](Session &session) { return runTrain(session, *asked); };
}

} // namespace sparsec::cli
