// The parts of `sparsec inspect`.
#pragma once

#include "model/Inspector.h"
#include "model/data/Data.h"
#include "tools/picture/Figure.h"
#include "tools/sparsec/ModelFlags.h"

namespace sparsec::cli {

struct InspectOptions {
  std::string run, data, device, split = "test", image, audio, png, inside, out;
  std::optional<std::string> prompt;
  std::vector<std::string> params; ///< of --inside
  std::optional<int64_t> layer, head;
  std::vector<int64_t> query; ///< a position, or row, column and channel
  int64_t inputs = 4;
  bool propose = false;
  double mass = 0.95;
};

/// What was found of one head.
struct HeadFound {
  int64_t layer = 0, head = 0;
  std::string entry;
  double effectiveKeys = 0;     ///< mean over the inputs
  std::optional<double> change; ///< of several inputs
  std::optional<double> inside; ///< share of the mass
  int64_t queries = 0;          ///< that were looked at, from the first on
  BlockSums first;              ///< of the first input
};

/// `inside`: null, or a pattern whose share of the mass is wanted.
Result<HeadFound> lookAt(AttentionView &view, int64_t head, const Config &config,
                         const Pattern *inside = nullptr);

/// A picture of every head's matrix, blocks in the colour of their mass: layers down, heads across.
Figure matricesFigure(const std::vector<HeadFound> &heads);
/// One query's weights on the grid of its tokens: white where it looks, black what comes later; for
/// pictures the input beside it.
Figure queryFigure(const Config &config, std::span<const uint8_t> tokens,
                   const std::vector<float> &weights, int64_t query, const std::string &title);

/// Of every head the cheapest predicate of the zoo that keeps so much of its mass.
class Proposal {
public:
  Proposal(const Transformer &model, double mass);
  Result<void> look(AttentionView &view);
  /// The pattern file; `name`: of the pattern.
  Pattern pattern(const std::string &name) const;
  /// A line a head.
  std::string text() const;
  Json json() const;

private:
  struct Candidate {
    std::string name;
    Expr attend;
    int64_t pairs = 0; ///< of one head and sequence
  };
  struct Choice {
    int64_t layer = 0, head = 0;
    size_t candidate = 0;
    double mass = 0;
  };
  const Transformer &model;
  double wanted;
  std::vector<Candidate> candidates; ///< cheapest first
  std::vector<Choice> choices;       ///< layer after layer, head after head
};

} // namespace sparsec::cli
