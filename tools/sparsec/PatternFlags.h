// PATTERN and the flags about it, the same for every command that takes a pattern.
#pragma once

#include "kernel/ops/Attention.h"
#include "layout/BlockLayout.h"
#include "tools/sparsec/Layers.h"
#include "tools/sparsec/Options.h"

namespace sparsec::cli {

/// How many queries and keys there are, and where the first query stands.
struct Lengths {
  int64_t n = 0, nq = 0, q0 = 0;

  /// As many queries as keys, on the same places.
  bool square() const { return nq == n && q0 == 0; }
  LayoutRequest request(int64_t h = 0) const { return {.nq = nq, .nk = n, .q0 = q0, .h = h}; }
  LayoutRequest request(int64_t h, const Block &block) const {
    return {.nq = nq, .nk = n, .q0 = q0, .h = h, .blockQ = block.q, .blockK = block.k};
  }
  /// "n = 4,096", "n = 64, nq = 129, q0 = -65"
  std::string text() const;
};

/// What was asked for on the command line. n, heads, kvHeads and valueDim have defaults that other
/// values decide.
struct PatternFlags {
  std::string pattern;    ///< path, "-", or a name of the zoo; empty: -e
  std::string expression; ///< -e
  bool hasExpression = false;
  std::vector<std::string> params; ///< --param, as given
  std::optional<int64_t> n, nq, q0;
  std::optional<int64_t> heads;
  std::optional<int64_t> kvHeads;
  int64_t headDim = 64;
  std::optional<int64_t> valueDim;
  std::optional<DType> dtype; ///< defaultDType() of the target
  Block block;
  std::string order; ///< --order, as given; empty: as the file says
  std::optional<SplitChoice> split;
  std::optional<int64_t> layer;        ///< --layer; none: every distinct one
  std::vector<std::string> operations; ///< --op, of commands that have it (OperationFlag.h)
};

/// PATTERN or -e, and the flags below. `needed` says, when all options are read, whether there has
/// to be one; always when absent.
void declarePatternFlags(Options &options, PatternFlags &flags,
                         std::function<bool()> needed = nullptr);
/// The flags that hold for any number of patterns.
void declareSharedFlags(Options &options, PatternFlags &flags);
/// --layer, of commands that look at layers one by one.
void declareLayerFlag(Options &options, PatternFlags &flags);

struct LoadedPattern {
  std::shared_ptr<const SourceText> source;
  Pattern pattern;             ///< with what the flags say about its schedule
  std::vector<Layer> distinct; ///< layers of the pattern
  std::vector<Layer> layers;   ///< of those the one that was asked for, else all
  int heads = 0;               ///< of the model
  int kvHeads = 0;
  std::optional<int64_t> n;      ///< -n, or the one length that a table of the schedule holds for
  std::optional<int64_t> nq, q0; ///< --nq and --q0

  /// With so many keys: as many queries, the last at the last key, unless flags say otherwise.
  Lengths at(int64_t keys) const;
};

/// Warns of entries that no layer takes: nothing is made of them.
Result<LoadedPattern> load(const PatternFlags &flags);
/// The parameters alone that the pattern has.
Result<std::map<std::string, int64_t>> paramsOf(const PatternFlags &flags);

/// Reads auto, B or BQxBK; what is wrong with it, or nothing.
std::string readBlock(const std::string &text, Block &block);

/// The whole of a file (or of stdin, for "-"), if it can be a pattern's.
Result<std::shared_ptr<const SourceText>> readSource(const std::string &path);

} // namespace sparsec::cli
