// PATTERN and the flags about it, the same for every command that takes a pattern.
#pragma once

#include "codegen/Kernel.h"
#include "tools/sparsec/Options.h"

namespace sparsec::cli {

/// What was asked for on the command line. n, heads, kvHeads and valueDim have defaults that other
/// values decide.
struct PatternFlags {
  std::string pattern;    ///< path, "-", or a name of the zoo; empty: -e
  std::string expression; ///< -e
  bool hasExpression = false;
  std::vector<std::string> params; ///< --param, as given
  std::optional<int64_t> n;
  std::optional<int64_t> heads;
  std::optional<int64_t> kvHeads;
  int64_t headDim = 64;
  std::optional<int64_t> valueDim;
  std::optional<DType> dtype; ///< defaultDType() of the target
  Block block;
  std::string order; ///< --order, as given; empty: as the file says
  std::optional<SplitChoice> split;
};

/// PATTERN or -e, and the flags below.
void declarePatternFlags(Options &options, PatternFlags &flags);
/// The flags that hold for any number of patterns.
void declareSharedFlags(Options &options, PatternFlags &flags);

struct LoadedPattern {
  std::shared_ptr<const SourceText> source;
  Pattern pattern; ///< with what the flags say about its schedule
  int heads = 0;   ///< of the model
  int kvHeads = 0;
  std::optional<int64_t> n; ///< -n, or the one length that a table of the schedule holds for
};

Result<LoadedPattern> load(const PatternFlags &flags);

/// The whole of a file (or of stdin, for "-"), if it can be a pattern's.
Result<std::shared_ptr<const SourceText>> readSource(const std::string &path);

} // namespace sparsec::cli
