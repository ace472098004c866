// Whether information can get from every position to every later one in so many layers.
//
//   fixed, l = 4, c = 1, n = 8: block, then columns        j -> a: a sees j in layer 1
//     5 from 1:  1 -> 3 (its block's summary) -> 5         a -> i: i sees a in layer 2
//     2 from 1:  2 sees nothing in layer 2: not without the residual path, along which 2 stays 2
//
// Position i of the last layer can know j when a path j -> a -> ... -> i has one step in each
// layer, first layer first; a layer's step is a pair that one of its heads attends to or, with the
// residual path, staying. Asked for are all pairs j <= i.
//
// Sets of positions are lists of intervals, and the unions of aligned groups of neighbours are kept
// (a tree), so that a step over many neighbours costs a few unions: no n x n array. Cost follows
// the intervals in a row of each layer. Where every head depends on q - k >= 0 alone, one set of
// differences stands for all positions (layout/analysis/ReachDifferences.h).
#pragma once

#include "layout/BlockLayout.h"

#include <functional>

namespace sparsec {

/// One predicate at one head of the model.
struct ReachHead {
  Expr attend;
  int64_t h = 0;
};

struct ReachRequest {
  int64_t n = 0;                              ///< positions, 1 .. 2^24
  std::vector<std::vector<ReachHead>> layers; ///< first layer first, the heads of each
  enum class Residual : uint8_t { With, Without } residual = Residual::With;
  /// The most that the sets of one layer may take; sets that need more are an error of kind
  /// Machine.
  int64_t maximumBytes = int64_t{1} << 29;
  /// The most that may be done, in Work::units: past it, an error of kind Machine.
  int64_t maximumUnits = kMostUnits;
  /// Ends with the first layer after which every position knows every earlier one.
  bool untilComplete = false;
  int threads = 0;      ///< 0: as many as the machine has
  Work *work = nullptr; ///< to count in
  /// Called now and then with how many more positions of a layer are done.
  std::function<void(int64_t positions)> progress = {};
};

struct Reach {
  int64_t pairs = 0;       ///< j <= i < n
  int64_t unreachable = 0; ///< of those
  struct Pair {
    int64_t from = 0, to = 0;
    bool operator==(const Pair &) const = default;
  };
  std::optional<Pair> first;        ///< that cannot: the earliest `to`, of it the earliest `from`
  std::vector<int64_t> withoutKeys; ///< by layer taken: positions that attend to nothing there

  bool complete() const { return unreachable == 0; }
  double fraction() const { return pairs ? double(unreachable) / double(pairs) : 0; }
};

Result<Reach> reach(const ReachRequest &request);

} // namespace sparsec
