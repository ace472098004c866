// What a run has done, from its folder: the config, and the lines of log.jsonl.
#pragma once

#include "model/Run.h"

namespace sparsec::cli {

struct RunLog {
  std::string path;
  std::string config, pattern; ///< texts
  Json start;                  ///< null where the log has none
  std::vector<Json> train, valid;
  Json end; ///< the last one; null of a run that has not ended

  /// Of a key: (step, value) of each line that has a number there.
  static std::vector<std::pair<int64_t, double>> values(const std::vector<Json> &lines,
                                                        const std::string &key);
  std::optional<double> bestBits() const;
  int64_t steps() const; ///< of the last line
  int64_t tokens() const;
  /// Mean of the steps after the first line, which waits for kernels.
  double stepMilliseconds() const;
};

/// Error: no folder of a run, a line that is no JSON.
Result<RunLog> readRunLog(const std::string &path);
/// Whether a path is the folder of a run.
bool isRun(const std::string &path);

} // namespace sparsec::cli
