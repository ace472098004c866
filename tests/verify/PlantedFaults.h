// Faults that stand between the compiler and the verifier, each with a pattern that it is about.
//
//   group       what is wrong
//   compiled    kernels of another predicate
//   layouts     which blocks a kernel is told, and where rows and keys of a tile lie
//   launches    arguments, grids, and which launches there are
//   numbers     what is written
//   memory      where it is written
//   parts       what one part of a head leaves for the next one
#pragma once

#include "layout/LaunchNumbers.h"
#include "tests/verify/FaultyDevice.h"

namespace sparsec::testing {

struct PlantedFault {
  std::string name;
  std::string_view operation;
  Pattern pattern;
  Fault fault;
  BlockSource blocks = BlockSource::Auto;
  std::optional<int64_t> n; ///< the only length that the pattern holds for
};

/// Without token orders and parts.
Pattern patternOf(const std::vector<std::string> &predicates);
/// Two entries: windows that differ by head beside columns, and one with full blocks.
Pattern mixedPattern();
/// Heads with other live blocks at any length: the first one has none.
Pattern headsApart();

std::vector<PlantedFault> forwardFaults();
std::vector<PlantedFault> backwardFaults();
std::vector<PlantedFault> decodeFaults();

} // namespace sparsec::testing
