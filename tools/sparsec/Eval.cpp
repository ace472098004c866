// sparsec eval RUN: bits of a run's model over a split of its data.
#include "tools/sparsec/DeviceFlag.h"
#include "tools/sparsec/ModelFlags.h"
#include "tools/sparsec/Options.h"

#include <fmt/format.h>

namespace sparsec::cli {
namespace {

struct EvalOptions {
  std::string run, data, device, split = "test";
  std::optional<int64_t> minContext, tokens;
};

Result<Answer> eval(const Session &session, const EvalOptions &asked) {
  auto run = RunFolder::open(asked.run);
  if (!run)
    return run.error();
  auto model = modelOf(*run);
  if (!model)
    return model.error();
  const Config &config = (*model)->config();
  int64_t minContext = asked.minContext.value_or(config.valid.minContext);
  if (minContext >= config.model.length)
    return inputError(fmt::format("--min-context: expected less than the length of {}, found {}",
                                  config.model.length, minContext));
  auto weights = weightsOf(*run, (*model)->parameters());
  if (!weights)
    return weights.error();
  auto data = Dataset::open(config, asked.data.empty() ? run->origin().data : asked.data);
  if (!data)
    return data.error();
  Split split = asked.split == "train"   ? Split::Train
                : asked.split == "valid" ? Split::Valid
                                         : Split::Test;
  if (data->tokens(split).empty())
    return inputError(fmt::format("the data has nothing in the split '{}'", asked.split));
  auto machine = openMachine(asked.device, {.threads = session.threads});
  if (!machine)
    return machine.error();
  auto trainer = Trainer::load(*machine->machine, *model,
                               std::make_shared<const Dataset>(std::move(*data)), ListUse::Score);
  if (!trainer)
    return trainer.error();
  if (auto set = trainer->setState(weights->state); !set)
    return set.error();
  auto score =
      trainer->score(split, {.minContext = minContext, .tokens = asked.tokens.value_or(0)});
  if (!score)
    return score.error();
  if (session.json)
    fmt::print("{}\n", Json{{"run", asked.run},
                            {"weights", weights->file},
                            {"device", machine->device->name()},
                            {"split", asked.split},
                            {"bits", score->bits()},
                            {"tokens", score->tokens},
                            {"min_context", minContext}}
                           .dump(2));
  else
    session.report(fmt::format("{} on {}: {} {:.4f} bits, {} tokens with at least {} before each "
                               "where there are as many\n",
                               weights->file, machine->device->name(), asked.split, score->bits(),
                               score->tokens, minContext));
  return Answer::Yes;
}

} // namespace

Action declareEval(Options &options) {
  auto asked = std::make_shared<EvalOptions>();
  options.positional("RUN", asked->run);
  options.heading("Eval");
  options.choice("--split", "NAME", "train, valid or test (test)", asked->split,
                 {"train", "valid", "test"});
  options.integer("--min-context", "tokens before each that is scored (valid.min_context)",
                  asked->minContext, {0, INT32_MAX});
  options.integer("--tokens", "score so many at most (all)", asked->tokens);
  options.value("--data", "PATH", "the data set (that of the run)",
                [asked](const std::string &given) {
                  asked->data = given;
                  return std::string();
                });
  declareDeviceFlag(options, asked->device);
  options.check([asked]() -> std::string {
    return asked->run.empty() ? "RUN: missing: the folder of a run" : "";
  });
  return [asked](Session &session) { return eval(session, *asked); };
}

} // namespace sparsec::cli
