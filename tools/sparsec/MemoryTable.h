// The memory table of the blog post of arXiv 1904.10509, for a model: what n x n attention weights
// in f32 take where every layer keeps them, or one layer at a time, beside all that a step of the
// model takes here, planned; and the longest sequences that fit.
//
//   one sequence      n x n attention weights, f32      a whole step of this model
//   n                       stored      recomputed          stored      recomputed
//   12,288                154.6 GB       1208.0 MB         11.6 GB       2781.9 MB
#pragma once

#include "model/Trainer.h"

#include <array>

namespace sparsec::cli {

/// Bytes of a step of one sequence: so many, and so many more for each token.
struct Linear {
  double fixed = 0, each = 0;
  double at(double n) const { return fixed + each * n; }
  int64_t longest(double room) const { return static_cast<int64_t>((room - fixed) / each); }
};

struct MemoryTable {
  double stored = 0, again = 0; ///< bytes of n x n weights, over n squared
  Linear ours, oursAgain;       ///< of a step, from the plans at two lengths

  static Result<MemoryTable> of(Machine &planning, const Transformer &model);
  /// The lengths of the post's table, longer ones, and the model's.
  static std::vector<int64_t> lengths(const Transformer &model);
  /// n x n stored and recomputed, the model stored and recomputed.
  std::array<double, 4> at(double n) const;
  std::array<int64_t, 4> longest(double room) const;
  /// As text, and as rows of cells under a head.
  std::string text(const Transformer &model) const;
  std::vector<std::vector<std::string>> rows(const Transformer &model) const;
  Json json(const Transformer &model) const;
};

/// "161.3 MB"
std::string megabytes(int64_t bytes);

} // namespace sparsec::cli
