// From syntax to Expr: names looked up, parameters and definitions substituted, types and ranges
// checked.
//
//   where: {near(a, b): abs(a - b) <= r}      params: {r: 3}
//   near(q // 64, k // 64)   ->   abs(q // 64 - k // 64) <= 3
//
// Arguments are expressions, put in place of the definition's argument names. What stands before an
// expression bounds it: in `causal and 5 // (q - k + 1) < 3` the divisor is at least 1, and so it
// is kept everywhere, as max(q - k + 1, 1): every reading may evaluate both sides. `draw` becomes a
// union of r places, `in` a search (IntegerList.h), `==` of predicates a union. Refused: unknown
// names (with the nearest known one), wrong counts of arguments, an integer where a predicate is
// expected and the other way round, a list where there is no search, definitions that call
// themselves, a divisor that may be 0, a value that may leave 64 bits, an expansion of more than
// kMaxNodes nodes or kMaxDepth levels.
#pragma once

#include "patterns/Classify.h"
#include "patterns/Syntax.h"

#include <map>

namespace sparsec {

struct Definition {
  std::string name;
  std::vector<std::string> arguments;
  Syntax body;
  std::string text;                 ///< the body as written: of the prelude, for notes
  std::optional<SourceRange> where; ///< of the name; none in the prelude
  std::vector<SourceRange> argumentPlaces = {};
  size_t optional = 0;   ///< so many of the last arguments may be left out, and are 1 then
  bool yielding = false; ///< of the prelude: a file's own definition wins
};

/// The names an expression may use beside the leaves.
class Scope {
public:
  /// A scope that knows the prelude.
  Scope();

  std::map<std::string, int64_t> params;
  std::map<std::string, ListRef> lists; ///< parameters too
  std::map<std::string, Definition> definitions;

  /// What a name is taken by, as words for a message ("part of the prelude"); empty when it is
  /// free.
  std::string takenBy(const std::string &name) const;
  /// Whether the language has the name, and gives way to a file's own.
  bool yields(const std::string &name) const;
};

/// Checks definitions against each other before any is used: names, argument counts, recursion.
Result<void> checkDefinitions(const Scope &scope);

/// Nodes that one pattern may still be expanded to: what bounds the work on a hostile file.
struct ExpansionBudget {
  int64_t left = 2 * kMaxNodes;
};

Result<Expr> resolvePredicate(const Syntax &syntax, const Scope &scope, ExpansionBudget &budget);
/// Either type: a definition without arguments, checked where it is written.
Result<Expr> resolve(const Syntax &syntax, const Scope &scope, ExpansionBudget &budget);

/// ": did you mean 'x'?", or nothing when no candidate is near.
std::string suggestion(const std::string &name, const std::vector<std::string> &candidates);

/// and, or, not, and YAML's words for truth and nothing, in any case.
bool isReservedWord(const std::string &name);

/// Letters, digits and _, no digit first.
bool isIdentifier(const std::string &text);

} // namespace sparsec
