// From what a pattern attends to and what its schedule leaves open to the kernels that compute it:
// blocks, token orders and a split into parts, the cheapest by the cost model.
//
//   causal and (local(128) or every(128))
//     part 1   ..._forward_part1   causal and every(128), both axes by residue 128
//     part 2   ..._forward_part2   causal and local(128), natural order    goes on from part 1
//
// A head that is not split is one kernel, ..._forward: whoever asks for that by name never gets a
// part of a head instead. Nothing here changes what is computed. No MLIR.
//
// R is the request of an operation that computes a pattern's pairs (kernel/ops/): it has `attend`,
// and beside it
//
//   CostShape costShape(const R &, int64_t copies)
//   std::vector<R> kernelsOf(const R &, const std::vector<Part> &, const Block &)
#pragma once

#include "kernel/Request.h"
#include "layout/cost/Cost.h"

namespace sparsec {

/// What is open, whatever the operation.
struct ScheduleChoice {
  Schedule schedule; ///< what is asked for beside the block
  int64_t n = 4096;  ///< keys at which ways are weighed, and queries unless nq says otherwise
  std::optional<int64_t> nq, q0; ///< query rows and the first one's position (n - nq)
  int64_t h = 0;                 ///< the model's head at which they are
  int64_t copies = 1;            ///< heads x batch of a call
  /// The block that is asked for, whether or not a kernel could have it: for pictures and counts.
  bool anyBlock = false;
  /// Queries come one by one, each by launches of its own: a row of blocks is one query, in natural
  /// order. Requests with a constant kOneByOne are weighed so.
  bool oneByOne = false;
  Ledger *ledger = nullptr; ///< of all that is chosen together; none: one of its own

  /// What the cost model weighs: at `n`, or at the length of a table that orders the tokens.
  LayoutRequest layout() const;
};

/// The ways to compute a predicate, cheapest first; their costs are estimates. Error: a block that
/// does not fit, an order that is none, `split: always` of what is no union.
Result<std::vector<Candidate>> weighWays(const Request &kernel, const Expr &attend,
                                         const CostShape &shape, const ScheduleChoice &choice);

template <class R>
struct ScheduleRequest : ScheduleChoice {
  /// Entry, predicate of the whole head, dtype, dims, target and block (0: open). Its orders and
  /// part are not looked at.
  R kernel;

  ScheduleRequest(R kernel, ScheduleChoice choice)
      : ScheduleChoice(std::move(choice)), kernel(std::move(kernel)) {}
};

template <class R>
struct HeadSchedule {
  std::vector<R> parts;        ///< of the cheapest way, in the order they run
  std::vector<Candidate> ways; ///< what was weighed, cheapest first
};

/// Errors of weighWays().
template <class R>
Result<HeadSchedule<R>> chooseSchedule(const ScheduleRequest<R> &request) {
  ScheduleChoice choice = request;
  choice.oneByOne = requires {
    R::kOneByOne;
  };
  auto ways = weighWays(request.kernel, request.kernel.attend,
                        costShape(request.kernel, request.copies), choice);
  if (!ways)
    return ways.error();
  const Candidate &best = ways->front();
  HeadSchedule<R> schedule{.parts = kernelsOf(request.kernel, best.parts, best.block), .ways = {}};
  schedule.ways = std::move(*ways);
  return schedule;
}

} // namespace sparsec
