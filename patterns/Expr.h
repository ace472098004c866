// The predicate: a small closed AST over (h, q, k) and the lengths, with many readings.
//
//   causal and (q - k) % 4 == 0        as an 8 x 8 picture (rows q, columns k, # = attend):
//
//        And                             # . . . . . . .
//       /   \                            . # . . . . . .
//     k <= q  Equal                      . . # . . . . .
//             /   \                      . . . # . . . .
//          Modulo   0                    # . . . # . . .
//          /    \                        . # . . . # . .
//        q - k   4                       . . # . . . # .
//                                        . . . # . . . #
//
// Readings, each in its own file: Evaluate (the meaning, at one point), Classify (over a
// rectangle), Print (text; parse(print(e)) == e), Simplify, and in codegen the mask arithmetic of a
// kernel. Names and definitions are resolved before an Expr exists: its leaves are integers and the
// names below. Division and remainder are floor division and its remainder, as in Python,
// everywhere.
//
// Invariants: operands have the type their operator asks for (integer or predicate); a node is
// immutable and may be shared, so an Expr is a DAG of at most kMaxNodes distinct visits.
// Refused before an Expr is built: a divisor that may be zero, values that may leave 64 bits.
#pragma once

#include "patterns/IntegerList.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sparsec {

enum class Op : uint8_t {
  // Integer leaves.
  Integer, ///< a literal (negative ones too)
  Query,   ///< q: position of the query on the common axis (row index + q0)
  Key,     ///< k: position of the key
  Head,    ///< h: the model's head
  Keys,    ///< n, also written nk: number of keys
  Queries, ///< nq: number of query rows
  // Integer operators.
  Negate,
  Add,
  Subtract,
  Multiply,
  FloorDivide,
  Modulo,
  Min, ///< two operands; min(a, b, c) parses as min(min(a, b), c)
  Max,
  Abs,
  Hash,    ///< hash(q, k, seed) of any three integers: see hash32() in Evaluate.h
  Log2,    ///< the greatest e with 2^e <= x; -1 below 1
  Segment, ///< how many values of the node's list are at most x
  Drawn,   ///< drawn(place, i, m, seed): see drawnValue() in Evaluate.h
  Select,  ///< a if p else b: operands p (a predicate), a, b
  // Predicates.
  True,
  False,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Equal,
  NotEqual,
  And, ///< two operands; a and b and c parses as (a and b) and c
  Or,
  Not,
};

struct Node;
using Expr = std::shared_ptr<const Node>;

struct Node {
  Op op;
  int64_t value = 0; ///< of an Integer
  ListRef list;      ///< of a Segment
  std::vector<Expr> operands;
  std::optional<SourceRange> where; ///< for messages only: ignored by equality
  int64_t size = 1;                 ///< nodes of the tree it unfolds to; set by the builders
  int32_t depth = 1;                ///< longest path to a leaf, in nodes; set by the builders
};

bool isPredicate(Op op);
/// Structural equality.
bool equal(const Expr &a, const Expr &b);
/// True when the leaf occurs anywhere below.
bool mentions(const Expr &expr, Op leaf);

// Builders (used by the parser, the tests and simplify).
Expr integer(int64_t value);
Expr leaf(Op op);
Expr make(Op op, std::vector<Expr> operands, std::optional<SourceRange> where = {});
Expr segment(Expr of, ListRef list, std::optional<SourceRange> where = {});
/// Whether `of` is in the list whose borders these are: what `in` says, and what `not in` says.
Expr isMember(Expr of, ListRef borders, bool member, std::optional<SourceRange> where = {});
/// The same operator (and list) over other operands.
Expr rebuilt(const Expr &like, std::vector<Expr> operands);
/// The list and the number of an `in` or `not in`; a null list of any other node.
struct Membership {
  Expr of;
  ListRef borders;
  bool member = true;
};
Membership membershipOf(const Expr &expr);
inline constexpr size_t kMostOperands = 4;

/// The largest tree an Expr may unfold to; larger ones are refused when they are parsed.
inline constexpr int64_t kMaxNodes = 100'000;
/// The deepest tree an Expr may unfold to, so that every reading may be a plain recursion.
inline constexpr int32_t kMaxDepth = 1'000;

/// Whether lists are written out or called by the names that parameters have.
enum class ListText { Inline, Named };
/// Text that parses back to an equal Expr (named lists: where the names are known), with the fewest
/// parentheses.
std::string print(const Expr &expr, ListText lists = ListText::Inline);
/// Parses a predicate over the leaves and the prelude (no definitions of a file). Tests and -e use
/// it.
Result<Expr> parsePredicate(std::shared_ptr<const SourceText> text);
/// An equivalent predicate in canonical form: constants folded, `n`-independent truths decided.
Expr simplify(const Expr &expr);
/// With queries and keys exchanged, and how many there are: what the transposed picture attends.
/// Its keys are the queries' rows, counted from 0, where their positions began at `queriesFrom`.
Expr exchanged(const Expr &expr, int64_t queriesFrom = 0);

} // namespace sparsec
