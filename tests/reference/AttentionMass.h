// Block sums of attention weights written the plain way.
//
//   p = exp(scale q k^T - lse) where q may attend to k      mass = sum of p      squares = sum of p^2
//
// of every block that any pair attends in, head after head, row after row of blocks, from the lse
// that is given, in float64.
#pragma once

#include "tests/reference/Attention.h"

#include <array>

namespace sparsec::reference {

struct MassProblem {
  AttentionProblem forward;
  std::vector<float> lse; ///< [batch, heads, nq]
  int64_t blockQ = 64, blockK = 64;
};

/// Where a sum is of: [batch][blocks].
struct Mass {
  std::vector<double> mass, squares;
  /// Of each, in units of 2^-24, what f32 cannot be expected to stay below: a p is off by as much
  /// of itself as its score and lse are, whose sums may cancel.
  std::vector<double> massTerms, squaresTerms;
};

/// {head, row, column} of the live blocks of these heads.
std::vector<std::array<int64_t, 3>> liveBlocks(const MassProblem &problem,
                                               const std::vector<int64_t> &heads);
Mass blockSums(const MassProblem &problem, const std::vector<int64_t> &heads);

} // namespace sparsec::reference
