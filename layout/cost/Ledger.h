// What was counted for one answer, so that nothing is counted twice, and what may still be done.
//
//   bigbird, three passes over blocks of 32x32:   one layout, whose rows forward and dq fold, and
//                                                 whose columns dk and dv do; its pairs once
//
// A command has one ledger for all its patterns, heads and passes: its budget of work is that of
// the whole answer. What is refused is not tried again with as little.
#pragma once

#include "layout/Split.h"

namespace sparsec {

/// The rows of a layout, or its columns.
struct LineCounts {
  int64_t lines = 0, full = 0, partial = 0;
  /// Those that may take the longest, whatever a block costs: none has more of both kinds.
  std::vector<BlockCounts> longest;
};

/// Of a part in its orders.
struct PartCounts {
  LineCounts rows, columns;
};

/// Not for several threads at once.
class Ledger {
public:
  /// To count, some four seconds of a core: what takes longer is as well estimated.
  static constexpr int64_t kMostUnitsToCount = 4'000'000'000;

  explicit Ledger(int threads = 0, int64_t maximumUnits = kMostUnitsToCount)
      : threads(threads), maximumUnits(maximumUnits) {}

  int64_t left() const { return std::max<int64_t>(maximumUnits - done.units, 0); }
  const Work &work() const { return done; }
  int threadsAsked() const { return threads; } ///< as LayoutRequest has it
  /// The same request, counted here, with these threads and a share of what is left at most.
  LayoutRequest within(LayoutRequest request, int64_t share = 1);

  /// As countElements() has it, of a request that is within().
  Result<int64_t> elements(const Expr &attend, const LayoutRequest &request);
  /// Of the layout that BlockLayout::build() finds, likewise.
  Result<PartCounts> blocks(const Part &part, const LayoutRequest &request);

private:
  struct Key {
    Part part;
    LayoutRequest request; ///< its lengths, head and blocks
    bool operator==(const Key &other) const;
  };
  template <class Value>
  struct Entry {
    Key key;
    Result<Value> value;
    int64_t units; ///< that it might take, where it is an error
  };
  template <class Value, class Count>
  static Result<Value> find(std::vector<Entry<Value>> &entries, Key key, Count &&count);

  int threads;
  int64_t maximumUnits;
  Work done;
  std::vector<Entry<int64_t>> ofElements;
  std::vector<Entry<PartCounts>> ofBlocks;
};

} // namespace sparsec
