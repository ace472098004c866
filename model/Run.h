// The folder of a run:
//
//   RUN/sparsec.json            who made it: kind "run", the version, where its data lies
//   RUN/config.yaml             resolved: it runs again        RUN/pattern.yaml   likewise
//   RUN/log.jsonl               a line a report
//   RUN/checkpoints/000500.safetensors and .json               weights, moments; the state of the run
//   RUN/best.safetensors        the weights of the best validation so far
//
// Refused: a folder that sparsec did not make, and a run that is there unless it is to go on. A
// checkpoint is there when its .json is, which is written last; each file has its name only when it
// is whole. A run that goes on cuts the log after the checkpoint it goes on from.
#pragma once

#include "model/Parameters.h"

#include <functional>
#include <nlohmann/json.hpp>

namespace sparsec {

using Json = nlohmann::ordered_json;

/// What a checkpoint holds beside weights and moments: everything else that the next step depends
/// on, and what the log is to go on with.
struct RunState {
  int64_t step = 0;
  Json more; ///< of the trainer
};

/// The flat buffers of a model that is trained, as Parameters lays them out.
enum class StatePart { Weights, First, Second };
/// Copies elements of a part, from an offset on.
using StateReader = std::function<Result<void>(StatePart, int64_t offset, std::span<float> into)>;

class RunFolder {
public:
  struct Origin {
    std::string version, data; ///< of sparsec; the path given by --data
  };
  /// Makes the folder with its fixed files.
  static Result<RunFolder> create(const std::string &path, const Origin &origin,
                                  const std::string &config, const std::string &pattern);
  /// One that is there.
  static Result<RunFolder> open(const std::string &path);

  const std::string &path() const { return folder; }
  const Origin &origin() const { return made; }
  Result<std::shared_ptr<const SourceText>> config() const;
  std::string patternPath() const { return folder + "/pattern.yaml"; }

  /// Appends a line to the log.
  Result<void> log(const Json &line) const;
  /// Removes lines of steps after `step`, and a line that is not whole.
  Result<void> cutLog(int64_t step) const;

  /// Parameter after parameter: a run needs no copy of its state.
  Result<void> writeCheckpoint(const RunState &state, const Parameters &parameters,
                               const StateReader &read) const;
  Result<void> writeBest(const Parameters &parameters, const StateReader &read, int64_t step) const;
  /// The last checkpoint that is whole; nothing where there is none.
  Result<std::optional<RunState>> lastCheckpoint() const;
  std::string checkpointPath(int64_t step) const;
  std::string bestPath() const { return folder + "/best.safetensors"; }

private:
  std::string folder;
  Origin made;
};

/// Fills flat buffers from a file; `prefix` is before every name. Error: a tensor that is missing
/// or of another shape.
Result<void> readParameters(const std::string &path, const Parameters &parameters,
                            std::span<float> weights, std::span<float> first = {},
                            std::span<float> second = {});

} // namespace sparsec
