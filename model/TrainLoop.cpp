#include "model/TrainLoop.h"

#include <chrono>
#include <fmt/format.h>
#include <numbers>

namespace sparsec {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLogFormat = 1;

double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Json sourcesOf(const Dataset &data) {
  Json all = Json::array();
  for (const DataSource &each : data.sources())
    all.push_back({{"name", each.name}, {"bytes", each.bytes}, {"sha256", each.sha256}});
  return all;
}

class Loop {
public:
  Loop(Trainer &trainer, const TrainRun &run)
      : trainer(trainer), run(run), config(trainer.model().config()), steps(trainer.steps()),
        last(run.until ? std::min(run.until, steps) : steps) {}

  Result<void> go() {
    if (Result<void> ready = run.from ? restore() : begin(); !ready)
      return ready;
    since = Clock::now();
    for (int64_t step = done; step < last; ++step)
      if (Result<void> ok = one(step); !ok)
        return ok;
    Result<int64_t> peak = trainer.peakBytes();
    if (!peak)
      return peak.error();
    return log({{"kind", "end"},
                {"step", std::max(done, last)},
                {"reason", last == steps ? "steps" : "until"},
                {"peak_bytes", *peak}});
  }

private:
  Result<void> begin() {
    if (Result<void> ok = trainer.initialise(); !ok)
      return ok;
    if (trainer.isFirst()) // a run that was stopped before its first checkpoint has lines
      if (Result<void> cut = run.folder.cutLog(-1); !cut)
        return cut;
    return log({{"kind", "start"},
                {"format", kLogFormat},
                {"version", run.version},
                {"config", print(config)},
                {"parameters", trainer.model().parameters().count()},
                {"device", run.device},
                {"processes", trainer.processCount()},
                {"planned_bytes", trainer.plannedBytes()},
                {"data", sourcesOf(trainer.data())}});
  }

  Result<void> restore() {
    const RunState &from = *run.from;
    if (from.more.value("data", Json()) != sourcesDigests())
      return inputError(fmt::format("{}: the data is not that of the run (its SHA-256 differs)",
                                    run.folder.path()));
    TrainedState state;
    auto elements = static_cast<size_t>(trainer.model().parameters().elements());
    for (std::vector<float> *each : {&state.weights, &state.first, &state.second})
      each->resize(elements);
    if (Result<void> read =
            readParameters(run.folder.checkpointPath(from.step), trainer.model().parameters(),
                           state.weights, state.first, state.second);
        !read)
      return read;
    done = from.step;
    sumOfLosses = from.more.value("sum_of_losses", 0.0);
    summed = from.more.value("summed_steps", int64_t(0));
    if (from.more.contains("best_bits"))
      best = from.more["best_bits"].get<double>();
    if (Result<void> set = trainer.setState(state, from.more.value("optimiser", Json())); !set)
      return set;
    return trainer.isFirst() ? run.folder.cutLog(from.step) : Result<void>();
  }

  /// Of the files, whatever they are called.
  Json sourcesDigests() const {
    Json all = Json::array();
    for (const DataSource &each : trainer.data().sources())
      all.push_back(each.sha256);
    return all;
  }

  Result<void> one(int64_t index) {
    Result<StepResult> result = trainer.step(index);
    if (!result)
      return result.error();
    int64_t step = index + 1;
    sumOfLosses += result->loss;
    summed += 1;
    timed += 1;
    if (step == 1 || step % config.every.log == 0 || step == steps)
      if (Result<void> ok = logTrain(step, *result); !ok)
        return ok;
    if (step % config.every.valid == 0 || step == steps)
      if (Result<void> ok = validate(step); !ok)
        return ok;
    if (step % config.every.checkpoint == 0 || step == last)
      if (Result<void> ok = checkpoint(step); !ok)
        return ok;
    return {};
  }

  Result<void> logTrain(int64_t step, const StepResult &result) {
    double seconds = secondsSince(since) / static_cast<double>(timed);
    int64_t stepTokens = config.train.batchSize * config.model.length;
    double loss = sumOfLosses / static_cast<double>(summed);
    auto sequences = static_cast<double>(trainer.data().sequences(config.model.length));
    TrainReport report{.step = step,
                       .steps = steps,
                       .bits = loss / std::numbers::ln2,
                       .gradNorm = result.gradNorm,
                       .tokensPerSecond = static_cast<double>(stepTokens) / seconds,
                       .secondsLeft = seconds * static_cast<double>(last - step),
                       .validBits = {}};
    Result<void> logged =
        log({{"kind", "train"},
             {"step", step},
             {"bits", report.bits},
             {"loss", loss},
             {"learning_rate", result.learningRate},
             {"grad_norm", result.gradNorm},
             {"loss_scale", result.lossScale},
             {"skipped_steps", result.skipped},
             {"tokens", step * stepTokens},
             {"epoch", static_cast<double>(step * config.train.batchSize) / sequences},
             {"step_ms", seconds * 1e3},
             {"tokens_per_second", report.tokensPerSecond}});
    if (run.report)
      run.report(report);
    sumOfLosses = 0;
    summed = timed = 0;
    since = Clock::now();
    return logged;
  }

  Result<void> validate(int64_t step) {
    if (trainer.data().tokens(Split::Valid).empty())
      return {};
    Clock::time_point begin = Clock::now();
    Result<Score> score = trainer.score(
        Split::Valid, {.minContext = config.valid.minContext, .tokens = config.valid.tokens});
    if (!score)
      return score.error();
    if (run.report)
      run.report({.step = step, .steps = steps, .validBits = score->bits()});
    if (!best || score->bits() < *best) {
      best = score->bits();
      if (Result<void> kept = keepBest(step); !kept)
        return kept;
    }
    since += std::chrono::duration_cast<Clock::duration>(Clock::now() - begin);
    return log({{"kind", "valid"},
                {"step", step},
                {"valid_bits", score->bits()},
                {"valid_tokens", score->tokens},
                {"min_context", config.valid.minContext}});
  }

  Result<void> keepBest(int64_t step) {
    if (!trainer.isFirst())
      return {};
    return run.folder.writeBest(trainer.model().parameters(), reader(), step);
  }

  /// The first process writes for all.
  Result<void> log(const Json &line) const {
    return trainer.isFirst() ? run.folder.log(line) : Result<void>();
  }

  Result<void> checkpoint(int64_t step) {
    if (!trainer.isFirst())
      return {};
    Clock::time_point begin = Clock::now();
    Result<Json> optimiser = trainer.optimiser();
    if (!optimiser)
      return optimiser.error();
    RunState now{step,
                 {{"sum_of_losses", sumOfLosses},
                  {"summed_steps", summed},
                  {"optimiser", *optimiser},
                  {"data", sourcesDigests()}}};
    if (best)
      now.more["best_bits"] = *best;
    // The line first: a checkpoint that is there has its line, whenever the run is stopped.
    Result<void> logged = log({{"kind", "checkpoint"},
                               {"step", step},
                               {"file", fmt::format("checkpoints/{:06}.safetensors", step)}});
    if (!logged)
      return logged;
    Result<void> written = run.folder.writeCheckpoint(now, trainer.model().parameters(), reader());
    since += std::chrono::duration_cast<Clock::duration>(Clock::now() - begin);
    return written;
  }

  StateReader reader() const {
    return [this](StatePart part, int64_t offset, std::span<float> into) {
      return trainer.read(part, offset, into);
    };
  }

  Trainer &trainer;
  const TrainRun &run;
  const Config &config;
  int64_t steps, last, done = 0;
  double sumOfLosses = 0; ///< of the steps since the last train line
  int64_t summed = 0, timed = 0;
  std::optional<double> best;
  Clock::time_point since;
};

} // namespace

Result<void> train(Trainer &trainer, const TrainRun &run) {
  return Loop(trainer, run).go();
}

} // namespace sparsec
