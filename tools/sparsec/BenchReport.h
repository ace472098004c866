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

nlohmann::ordered_json json(const BenchReport &report);
std::string text(const BenchReport &report, const Style &style);

} // namespace sparsec::cli
