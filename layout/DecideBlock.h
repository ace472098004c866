// Whether the pairs of one block attend: all, none, or some, exactly. Rectangles of pairs that
// classify() decides whole or that are cut in two, until one pair that attends and one that does
// not have been seen or all are decided.
#pragma once

#include "layout/Reader.h"

#include <vector>

namespace sparsec {

/// What holds for all that lies around q x k holds for them: one question instead of many.
Coverage classifyAround(const Reader &reader, const std::vector<Range> &q,
                        const std::vector<Range> &k);

class BlockDecider {
public:
  /// `work` is what the reader counts in: past `mostUnits` of it nothing is looked at.
  BlockDecider(const Reader &reader, const Work &work, int64_t mostUnits)
      : reader(reader), work(work), mostUnits(mostUnits) {}

  /// Mixed means that some pair attends and some pair does not.
  Coverage decide(const std::vector<Range> &q, const std::vector<Range> &k) const;

private:
  /// Both truths of a predicate that were met so far.
  struct Seen {
    bool yes = false, no = false;
    bool both() const { return yes && no; }
  };
  void look(const Rectangle &rectangle, Seen &seen) const;
  void lookAtEachPair(const Rectangle &rectangle, Seen &seen) const;

  const Reader &reader;
  const Work &work;
  int64_t mostUnits;
};

} // namespace sparsec
