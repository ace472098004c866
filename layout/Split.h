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

/// The predicates of the parts, in the order of the union's operands, simplified; one, the
/// predicate itself, when it is no union (nor a conjunction with one). Parts that no pair can be in
/// are left out.
std::vector<Expr> disjointParts(const Expr &attend);

/// One part of a head's attention and how its tokens are ordered.
struct Part {
  Expr attend;
  OrderSpec queries, keys;
};

/// The same pairs with the axes exchanged, for exchanged(request).
Part exchanged(const Part &part, const LayoutRequest &request);

/// The layouts of the parts, each in its own orders, for the tiles of the request.
Result<std::vector<BlockLayout>> layoutsOf(const std::vector<Part> &parts,
                                           const LayoutRequest &request);

} // namespace sparsec
