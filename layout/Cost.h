// What a way of computing a head's attention costs on a machine, by a first model, and the
// cheapest of the ways that the predicate suggests.
//
//   causal and (local(128) or every(128)), n = 12,288, blocks of 32, one head:
//
//   parts  orders                       live   useful  balance      bytes        time
//       2  natural | residue 128       2,678   78.3 %   96.8 %    30.1 MB     20.1 us
//       1  natural                    19,770   10.6 %   90.6 %   165.1 MB     59.0 us
//       1  residue 128                65,792    3.2 %   97.7 %   650.5 MB    220.8 us
//
// A block costs its products or its loads, whichever take longer; a row of blocks, those and a
// start; rows go to units longest first, each to the unit that is free first. The whole takes at
// least as long as its bytes at the machine's bandwidth. A part after the first starts another
// kernel. Rows that are not neighbours in memory load by `gatherPenalty` slower.
#pragma once

#include "layout/Candidates.h"
#include "layout/Split.h"

namespace sparsec {

/// A machine in a few numbers, at the kernel's data type. The defaults are guesses at a large GPU:
/// not yet held against measurements.
struct CostTarget {
  int units = 132;                  ///< thread blocks or cores that run side by side
  double unitFlops = 5e12;          ///< per second and unit, in block products
  double unitBytesPerSecond = 3e10; ///< a unit's loads, from the nearest cache they share
  double bytesPerSecond = 3e12;     ///< all units' together
  double partialPenalty = 1.3;      ///< a block whose pairs are masked, over one that is not
  double gatherPenalty = 1.2;       ///< bytes of rows that are not neighbours, over others'
  double rowSeconds = 1e-6;         ///< to start a row of blocks and write its result
  double launchSeconds = 4e-6;      ///< to start a kernel
};

/// What one head's tensors are made of.
struct CostShape {
  int64_t headDim = 64, valueDim = 64;
  int64_t elementBytes = 2;
  int64_t copies = 1; ///< heads x batch: how often the layout is computed
};

struct Cost {
  BlockCounts blocks;   ///< of one copy
  int64_t elements = 0; ///< pairs that attend
  int64_t computed = 0; ///< pairs in live blocks
  double bytes = 0;     ///< loaded and stored, of one copy
  double balance = 1;   ///< mean of the units' time over the longest
  double seconds = 0;   ///< of all copies
  double useful() const { return computed ? double(elements) / double(computed) : 1; }
};

/// One way: disjoint parts, each in its orders.
struct Candidate {
  std::vector<Part> parts;
  Cost cost;
};

/// Error: an order that is none, or a layout that does not fit.
Result<Cost> costOf(const std::vector<Part> &parts, const LayoutRequest &request,
                    const CostShape &shape, const CostTarget &target);

/// The ways that the predicate suggests, cheapest first; of equal ones the simpler first. Of a
/// split, each part stands in its best orders.
Result<std::vector<Candidate>> weigh(const Expr &attend, const LayoutRequest &request,
                                     const CostShape &shape, const CostTarget &target);

/// The table above.
std::string table(const std::vector<Candidate> &candidates);

} // namespace sparsec
