// A predicate alone as a pattern: -e.
#include "patterns/ReadPattern.h"

#include <fmt/format.h>

namespace sparsec {

Result<void> checkNotEmpty(const Expr &attend, const SourceRange &where) {
  if (simplify(attend)->op != Op::False)
    return {};
  return inputError("expected a head that attends somewhere, found one that is empty for every n",
                    where);
}

Result<Pattern> patternOfExpression(std::shared_ptr<const SourceText> text,
                                    const PatternOverrides &overrides) {
  if (text->text.size() > kMaxPatternBytes)
    return inputError(fmt::format("expected an expression of at most {} bytes, found {}",
                                  kMaxPatternBytes, text->text.size()));
  SourceRange where = SourceLines(text).at(0, static_cast<int>(text->text.size()));
  Result<Expr> predicate = parsePredicate(std::move(text));
  if (!predicate)
    return predicate.error();
  if (Result<void> checked = checkNotEmpty(*predicate, where); !checked)
    return checked.error();
  for (const auto &[name, value] : overrides.params) {
    auto place = overrides.where.find(name);
    Error error = inputError(fmt::format("an expression has no parameter {}", quote(name)));
    if (place != overrides.where.end())
      error.where = place->second;
    return error;
  }
  Pattern pattern;
  pattern.name = "pattern";
  pattern.heads.emplace_back();
  pattern.heads[0].name = "head0";
  pattern.heads[0].attend = *predicate;
  pattern.heads[0].where = where;
  return pattern;
}

} // namespace sparsec
