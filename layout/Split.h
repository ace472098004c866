// A union as disjoint parts, so that each may have its own token order; their results merge by
// log-sum-exp, which is exact because no pair is in two parts.
//
//   causal and (local(2) or every(4))   =   causal and local(2)  +  causal and every(4)
//                                                                   and not local(2)
//   # . . . . . . .                         # . . . . . . .         . . . . . . . .
//   # # . . . . . .                         # # . . . . . .         . . . . . . . .
//   . # # . . . . .                         . # # . . . . .         . . . . . . . .
//   . . # # . . . .                         . . # # . . . .         . . . . . . . .
//   # . . # # . . .                         . . . # # . . .         # . . . . . . .
//   . # . . # # . .                         . . . . # # . .         . # . . . . . .
//   . . # . . # # .                         . . . . . # # .         . . # . . . . .
//   . . . # . . # #                         . . . . . . # #         . . . # . . . .
//
// Each part keeps what is common, and leaves out what the parts before it have.
#pragma once

#include "layout/BlockLayout.h"

namespace sparsec {

/// A predicate as a union in a conjunction: one of the alternatives, and all that is common.
struct Union {
  std::vector<Expr> alternatives; ///< none without pairs that those before it have not
  std::vector<Expr> common;
};
/// One alternative, the predicate itself, when it is no union (nor a conjunction with one).
Union unionOf(const Expr &attend);
/// Alternatives of one number are one, in the place of the first.
Union grouped(const Union &all, std::span<const size_t> numbers);

/// The predicates of the parts, one for each alternative, simplified.
std::vector<Expr> disjointParts(const Union &all);
std::vector<Expr> disjointParts(const Expr &attend);

/// One part of a head's attention and how its tokens are ordered.
struct Part {
  Expr attend;
  OrderSpec queries, keys;
};

/// The same pairs with the axes exchanged, for exchanged(request).
Part exchanged(const Part &part, const LayoutRequest &request);

/// Its two orders. Error: one that is none.
struct PartOrders {
  Order queries, keys;
  static Result<PartOrders> of(const Part &part, const LayoutRequest &request);
};

/// The layouts of the parts, each in its own orders, for the tiles of the request.
Result<std::vector<BlockLayout>> layoutsOf(const std::vector<Part> &parts,
                                           const LayoutRequest &request);

} // namespace sparsec
