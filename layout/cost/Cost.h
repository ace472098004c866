// What a way of computing a head's attention costs on a machine, by a first model, and the
// cheapest of the ways that the predicate suggests: blocks, token orders, a split into parts.
//
//   causal and (local(128) or every(128)), n = 12,288, 16 heads, head dim 128, bf16, on an H200:
//
//   block    parts  orders                          live   useful  balance       bytes         time
//   64x64        2  natural | residue 128            957   54.8 %   96.1 %    770.2 MB     178.6 us
//   64x64        1  natural                      ~ 6,048    8.7 %   88.5 %   3271.6 MB     843.8 us
//   64x64        1  residue 128                 ~ 32,768    1.6 %   96.9 %  19045.5 MB    4084.2 us
//   dense 3679.3 us; a pattern like this is faster below a density of 30.6 %
//
// A block costs its products and its pairs' exponentials, or its loads, whichever take longer (on a
// CPU loads are in part waited for); masked pairs cost more; a row of blocks costs those and a
// start. Rows go to units longest first, so all are done after their mean time and one longest row
// at most. The whole takes at least as long as all tensors once at the memory's bandwidth. A part
// after the first starts another kernel, and so does what comes before a pass. Rows that are not
// neighbours in memory load by `gatherPenalty` slower.
//
// Counts of many rows are estimated from a few of them ("~ 2,678"): quick at any length. The ways
// that seem the cheapest and natural order are counted before one is chosen, within a budget of
// work. docs/performance.md says how the numbers of targets were found, and how far off.
#pragma once

#include "layout/Split.h"
#include "layout/cost/Candidates.h"
#include "layout/cost/Ledger.h"
#include "patterns/Pattern.h"

namespace sparsec {

/// A machine in a few numbers, at the kernel's data type.
struct CostTarget {
  int units = 1;                 ///< multiprocessors or cores that run side by side
  double unitFlops = 1;          ///< per second and unit, in block products
  double pairSeconds = 0;        ///< of a unit, for the exponential and the sums of a pair
  double partialPenalty = 0;     ///< what a block with masked pairs takes more, over one without
  double stepKeys = 0;           ///< to begin a block takes as long as so many keys more
  double rowSeconds = 0;         ///< of a unit, to start a row of blocks and end it
  double rowByteSeconds = 0;     ///< likewise, for each byte of its queries and results
  double launchSeconds = 0;      ///< to start a kernel
  double unitBytesPerSecond = 1; ///< a unit's loads of blocks, from the nearest cache they share
  double keyByteSeconds = 0;     ///< of a unit, for each byte of a block that its products wait for
  double bytesPerSecond = 1;     ///< of memory: each tensor once
  double gatherPenalty = 1;      ///< bytes of rows that are not neighbours, over others'
  double tail = 1; ///< share of a longest row that the other units wait for at the end

  /// sm_80 and its like (an A100), sm_90 (an H200), cpu; elements of 2 or 4 bytes. A target that is
  /// not known costs what sm_80 does.
  static CostTarget of(std::string_view target, int64_t elementBytes);
};

/// What is computed of a head: of each pair, and over which tensors.
///
///   attention      a pair's products                 a row's tensors    a block's tensors
///   forward        q k^T, p v                        q, out             k, v
///   dq             q k^T, dout v^T, ds k             q, dout, dq        k, v
///   dk and dv      k q^T, v dout^T, ds^T q, p^T dout k, v, dk, dv       q, dout; rows are keys
struct CostShape {
  int64_t products = 128;  ///< multiply-adds of a pair
  int64_t rowWidth = 128;  ///< elements of a row's tensors at each of its positions
  int64_t foldWidth = 128; ///< of what is loaded for each block
  int64_t elementBytes = 2;
  int64_t copies = 1;  ///< heads x batch: how often the layout is computed
  bool ofKeys = false; ///< the transposed layout is folded: its rows are keys
  /// Elements of a row's tensors that a kernel before all parts reads; 0: there is none. That of dq
  /// reads out and dout.
  int64_t beforeWidth = 0;

  static CostShape forward(int64_t headDim, int64_t valueDim, int64_t elementBytes = 2,
                           int64_t copies = 1) {
    int64_t both = headDim + valueDim;
    return {.products = both,
            .rowWidth = both,
            .foldWidth = both,
            .elementBytes = elementBytes,
            .copies = copies};
  }
};

struct Cost {
  BlockCounts blocks;      ///< of one copy
  int64_t elements = 0;    ///< pairs that attend
  int64_t computed = 0;    ///< pairs in live blocks
  bool exact = true;       ///< else blocks and computed are estimates
  double operations = 0;   ///< of all copies: two for each multiply-add of a computed pair
  double bytes = 0;        ///< loaded and stored, of all copies
  double balance = 1;      ///< mean of the units' time over the whole
  double seconds = 0;      ///< of all copies
  double denseSeconds = 0; ///< that all pairs would take, in the best block there is to choose from
  /// The density below which such a pattern (as well used, as partial) is faster than dense.
  double breakEven = 1;
  double useful() const { return computed ? double(elements) / double(computed) : 1; }
};

/// What a part's rows are made of, counted or estimated. It holds for any number of copies.
struct Tally {
  double rows = 0, full = 0, partial = 0; ///< rows of blocks, and their blocks
  double longest = 0;                     ///< seconds of the longest row
  int64_t elements = 0;
  bool exact = true;         ///< all of it
  bool elementsExact = true; ///< these
};

/// One way: disjoint parts, each in its orders, all in blocks of one size.
struct Candidate {
  Block block;
  std::vector<Part> parts;
  Cost cost;
  // From what the cost is:
  std::vector<Tally> tallies;     ///< of each part
  LayoutRequest counted;          ///< at these lengths and this head
  std::vector<Block> denseBlocks; ///< that dense attention is computed in the best of
};

/// Exact. Error: an order that is none, or a layout that does not fit.
Result<Cost> costOf(const std::vector<Part> &parts, const LayoutRequest &request,
                    const CostShape &shape, const CostTarget &target);

/// What a schedule leaves open.
struct Choice {
  std::vector<Block> blocks; ///< to choose from, of equal ones the first; none: the request's own
  std::optional<OrderSpec> queries, keys; ///< none: what the predicate suggests
  SplitChoice split = SplitChoice::Auto;
};

/// The ways that the predicate suggests, cheapest first; of equal ones the simpler first. Of a
/// split, each part stands in its best orders. Never empty. Ways that are hopeless at one block are
/// not tried at others. The first ones and natural order are counted exactly, unless that takes
/// more than a share of what the request and the ledger leave; the costs of others are estimates.
Result<std::vector<Candidate>> weigh(const Expr &attend, const LayoutRequest &request,
                                     const CostShape &shape, const CostTarget &target,
                                     const Choice &choice, Ledger &ledger);
/// With a ledger of its own.
Result<std::vector<Candidate>> weigh(const Expr &attend, const LayoutRequest &request,
                                     const CostShape &shape, const CostTarget &target,
                                     const Choice &choice = {});

/// Makes a candidate's cost exact, where the budgets of the request and the ledger allow; else it
/// is an estimate for this request. What was counted at these lengths is not counted again.
Result<void> count(Candidate &candidate, const LayoutRequest &request, const CostShape &shape,
                   const CostTarget &target, Ledger &ledger);
/// With a ledger of its own.
Result<void> count(Candidate &candidate, const LayoutRequest &request, const CostShape &shape,
                   const CostTarget &target);

/// "natural", "q natural, k tails 128, 32", "natural | residue 128" of two parts.
std::string ordersText(const std::vector<Part> &parts);

/// The table above, the first `most` of them.
std::string table(const std::vector<Candidate> &candidates, size_t most = 12);

} // namespace sparsec
