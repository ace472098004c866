// A model on a device: one step of training at a time, scores, its weights in and out.
//
//   Trainer::load(machine, model, data)     memory laid out and allocated, kernels compiled
//   trainer.initialise(), or trainer.setWeights(...)
//   trainer.step(k)                         step k of the run, from 0: its batch, its rate
//   trainer.score(Split::Valid, {...})      bits over a split
//
// Several processes share a step's batch and an evaluation's windows; each then makes the same
// update.
//
// A step is a function of the weights, the moments, the seed and k alone. A loss that is not finite
// is an error that names the first tensor with such an element, and changes no weight.
#pragma once

#include "model/GradientSum.h"
#include "model/Run.h"
#include "model/Transformer.h"
#include "model/data/Data.h"

namespace sparsec {

/// The learning rate of step k (from 0) of `steps`: linear from rate / warmup, then the schedule.
double learningRate(const TrainConfig &train, int64_t step, int64_t steps);

struct StepResult {
  double loss = 0; ///< mean over the step's tokens, in nats
  double learningRate = 0, gradNorm = 0, lossScale = 1;
  int64_t skipped = 0; ///< steps so far that changed nothing, because the gradient overflowed
};

struct ScoreRequest {
  int64_t minContext = 0; ///< tokens before each that is scored, where the split has as many
  int64_t tokens = 0;     ///< at most so many; 0: all
};

struct Score {
  double nats = 0; ///< sum over the tokens
  int64_t tokens = 0;
  double bits() const; ///< of a token
};

/// The most sequences of a run of a list that divide a process's share of the batch and whose plan
/// fits into so many bytes; 1 where none does. The config's micro batch is not looked at.
Result<int64_t> fittingMicroBatch(Machine &planning, const Transformer &model, int64_t room,
                                  int64_t processes = 1);

/// Flat, as Parameters lays them out.
struct TrainedState {
  std::vector<float> weights, first, second;
};

class Trainer {
public:
  /// What a trainer is for: scoring needs neither gradients nor moments. Of several processes all
  /// load one.
  static Result<Trainer> load(Machine &machine, std::shared_ptr<const Transformer> model,
                              std::shared_ptr<const Dataset> data, ListUse use = ListUse::Train,
                              std::shared_ptr<Processes> processes = {});
  /// The lists of a trainer for such a use, one of so many, in an order of their own.
  static std::vector<CallList> lists(const Transformer &model, ListUse use = ListUse::Train,
                                     int64_t processes = 1);

  const Transformer &model() const { return *transformer; }
  const Dataset &data() const { return *dataset; }
  int64_t steps() const; ///< of the whole schedule
  int64_t processCount() const { return processes ? processes->count() : 1; }
  /// Whether this process is the one that says what all have done.
  bool isFirst() const { return !processes || processes->rank() == 0; }
  /// Device memory of a run, from before its first step: all lists', and what the machine keeps.
  int64_t plannedBytes() const { return memory.bytes() + machine->residentBytes(); }

  /// The most that was held: of the device's own memory, else of the process's.
  Result<int64_t> peakBytes() const { return machine->device.peakBytes(); }

  Result<void> initialise();
  /// Moments are zeros where they are empty; `optimiser` as optimiser() gave it.
  Result<void> setState(const TrainedState &state, const Json &optimiser = {});
  Result<TrainedState> state() const;
  Result<void> read(StatePart part, int64_t offset, std::span<float> into) const;
  /// The optimiser's own numbers, for a checkpoint.
  Result<Json> optimiser() const;

  Result<StepResult> step(int64_t index);
  Result<Score> score(Split split, const ScoreRequest &request);
  /// Losses in nats of each token of sequences, [sequences, length].
  Result<std::vector<float>> losses(std::span<const uint8_t> tokens);

private:
  struct Batch {
    std::vector<int32_t> tokens, targets;
    void set(int64_t sequence, std::span<const uint8_t> values, int64_t length, int64_t first,
             int64_t last);
  };
  /// Says which tensor of the step that has just run.
  Error notFinite(const RunningList &list, int64_t index);
  Result<void> sumOverProcesses(double &loss);
  Result<void> upload(const Batch &batch);
  template <class T>
  Result<void> put(const char *buffer, std::span<const T> values, int64_t offset = 0);
  template <class T>
  Result<void> get(const char *buffer, std::span<T> values, int64_t offset = 0) const;

  Machine *machine = nullptr;
  std::shared_ptr<const Transformer> transformer;
  std::shared_ptr<const Dataset> dataset;
  ListMemory memory;
  std::shared_ptr<Processes> processes; ///< none: this one alone
  GradientSum gradientSum;
  int64_t micro = 1;                 ///< sequences of a run of a list
  std::vector<RunningList> training; ///< the first run of a step; the ones after it
  std::optional<RunningList> scoring, update;
};

} // namespace sparsec
