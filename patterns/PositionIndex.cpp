#include "patterns/PositionIndex.h"

#include "patterns/Evaluate.h"
#include "patterns/Resolve.h"

#include <fmt/format.h>

namespace sparsec {

Result<Expr> parseIndex(std::shared_ptr<const SourceText> text) {
  Result<Syntax> syntax = parseSyntax(wholeText(std::move(text)));
  if (!syntax)
    return syntax.error();
  Scope scope;
  Syntax position{.kind = Syntax::Name, .name = "k"};
  scope.definitions["t"] = {.name = "t", .body = std::move(position)};
  ExpansionBudget budget;
  Result<Expr> index = resolve(*syntax, scope, budget);
  if (!index)
    return index;
  if (isPredicate((*index)->op))
    return inputError("expected an index (an integer), found a predicate", syntax->span);
  for (auto [leaf, name] : {std::pair{Op::Query, "q"}, {Op::Head, "h"}, {Op::Queries, "nq"}})
    if (mentions(*index, leaf))
      return inputError(fmt::format("expected an index of the position t, found '{}'", name),
                        syntax->span);
  return index;
}

Result<std::vector<int32_t>> indicesOf(const Expr &index, int64_t n, int64_t rows) {
  std::vector<int32_t> values;
  values.reserve(static_cast<size_t>(n));
  for (int64_t t = 0; t < n; ++t) {
    int64_t value = evaluateInteger(index, {.k = t}, {.nq = rows, .nk = n});
    if (value < 0 || value >= rows)
      return inputError(
          fmt::format("expected an index in 0 .. {}, found {} at t = {}", rows - 1, value, t));
    values.push_back(static_cast<int32_t>(value));
  }
  return values;
}

Expr takesRow(const Expr &index) {
  return make(Op::Equal, {index, leaf(Op::Query)});
}

} // namespace sparsec
