// What `sparsec bench` says of its measurements, as text and as JSON.
#pragma once

#include "tools/bench/Contestant.h"
#include "tools/bench/ForwardRun.h"
#include "tools/sparsec/Terminal.h"

#include <nlohmann/json.hpp>

namespace sparsec::cli {

struct BenchReport {
  std::string device, description;
  std::vector<std::string> operations; ///< that were timed
  ForwardProblem problem;
  std::optional<int> threads; ///< of the cpu
  std::string peak;           ///< the instructions of the peak's rows, where there is one
  std::string blas;           ///< OpenBLAS' version, or why it is missing; empty: not asked for
  std::vector<Measured>
      rows; ///< of an operation dense attention by our kernels is the first "dense"
};

/// Of one device's runs, one for each length.
nlohmann::ordered_json json(const std::vector<BenchReport> &reports);
std::string text(const std::vector<BenchReport> &reports, const Style &style);

} // namespace sparsec::cli
