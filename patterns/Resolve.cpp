#include "patterns/Resolve.h"

#include "patterns/Prelude.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace sparsec {

namespace {

struct NamedOp {
  std::string_view name;
  Op op;
};
constexpr NamedOp kLeaves[] = {{"h", Op::Head},    {"q", Op::Query},    {"k", Op::Key},
                               {"n", Op::Keys},    {"nk", Op::Keys},    {"nq", Op::Queries},
                               {"True", Op::True}, {"False", Op::False}};

/// Functions of the language itself, with how many arguments they take.
struct Function {
  std::string_view name;
  Op op;
  size_t least, most;
  std::string_view usage;
};
constexpr Function kFunctions[] = {{"min", Op::Min, 2, 64, "min(a, b)"},
                                   {"max", Op::Max, 2, 64, "max(a, b)"},
                                   {"abs", Op::Abs, 1, 1, "abs(a)"},
                                   {"hash", Op::Hash, 3, 3, "hash(q, k, seed)"}};

std::optional<Op> leafNamed(std::string_view name) {
  for (const NamedOp &leaf : kLeaves)
    if (leaf.name == name)
      return leaf.op;
  return std::nullopt;
}

const Function *functionNamed(std::string_view name) {
  for (const Function &function : kFunctions)
    if (function.name == name)
      return &function;
  return nullptr;
}

/// How a definition is called: near(a, b).
std::string usage(const Definition &definition) {
  if (definition.arguments.empty())
    return definition.name;
  return fmt::format("{}({})", definition.name, fmt::join(definition.arguments, ", "));
}

std::string plural(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string placeOf(const SourceRange &where) {
  return fmt::format("{}:{}:{}", where.source->name, where.line, where.column);
}

/// The message for a wrong count of arguments; nothing when it is right. A bare name has none.
std::optional<Error> countError(const Syntax &use, size_t least, size_t most,
                                const std::string &usage) {
  size_t count = use.operands.size();
  if (use.kind == Syntax::Call && most == 0)
    return inputError(fmt::format("'{}' takes no arguments: write '{}'", use.name, use.name),
                      use.span);
  if (count >= least && count <= most)
    return std::nullopt;
  std::string expected =
      least == most ? plural(least, "argument") : fmt::format("{} arguments or more", least);
  if (count > most && least != most)
    expected = fmt::format("at most {} arguments", most);
  return inputError(fmt::format("expected {} for '{}', found {}", expected, usage,
                                count == 0 ? "none" : fmt::format("{}", count)),
                    use.span);
}

/// An expression with what is known of it.
struct Typed {
  Expr expr;
  Bounds bounds; ///< of an integer
  bool isPredicate() const { return sparsec::isPredicate(expr->op); }
};

using Arguments = std::map<std::string, Typed>;

class Resolver {
public:
  Resolver(const Scope &scope, ExpansionBudget &budget) : scope(scope), budget(budget) {}

  Result<Typed> resolve(const Syntax &syntax, const Arguments &arguments) {
    if (--budget.left < 0)
      return tooLarge(syntax.where);
    switch (syntax.kind) {
    case Syntax::Number:
      return build(Op::Integer, syntax, {}, syntax.value);
    case Syntax::Name:
      if (auto argument = arguments.find(syntax.name); argument != arguments.end())
        return argument->second;
      if (auto param = scope.params.find(syntax.name); param != scope.params.end())
        return build(Op::Integer, syntax, {}, param->second);
      if (std::optional<Op> leaf = leafNamed(syntax.name))
        return build(*leaf, syntax, {}, 0);
      return call(syntax, arguments);
    case Syntax::Call:
      return call(syntax, arguments);
    case Syntax::Operator:
      return operation(syntax, arguments);
    }
    return internalError("a syntax node of no kind");
  }

private:
  Error tooLarge(const SourceRange &where) const {
    return inputError(fmt::format("expected a pattern of at most {} operations after its "
                                  "definitions are expanded, found more",
                                  kMaxNodes),
                      where);
  }

  Result<Typed> operation(const Syntax &syntax, const Arguments &arguments) {
    bool wantsPredicates = syntax.op == Op::And || syntax.op == Op::Or || syntax.op == Op::Not;
    std::vector<Typed> operands;
    for (const Syntax &operand : syntax.operands) {
      Result<Typed> value = resolve(operand, arguments);
      if (!value)
        return value;
      if (value->isPredicate() != wantsPredicates)
        return typeError(operand, wantsPredicates);
      operands.push_back(*std::move(value));
    }
    return build(syntax.op, syntax, std::move(operands), 0);
  }

  static Error typeError(const Syntax &found, bool wantsPredicate) {
    return wantsPredicate
               ? inputError("expected a predicate (a comparison), found an integer", found.span)
               : inputError("expected an integer, found a predicate", found.span);
  }

  /// Makes a node, having checked its range.
  Result<Typed> build(Op op, const Syntax &syntax, std::vector<Typed> operands, int64_t value) {
    std::vector<Expr> exprs;
    std::vector<Bounds> ranges;
    for (Typed &operand : operands) {
      exprs.push_back(operand.expr);
      ranges.push_back(operand.bounds);
    }
    Typed made;
    if (!isPredicate(op)) {
      BoundsOutcome outcome = boundsOf(op, value, ranges.data(), ranges.size());
      if (outcome.kind == BoundsOutcome::MayDivideByZero)
        return divisorError(syntax, operands[1]);
      if (outcome.kind == BoundsOutcome::LeavesSixtyFourBits)
        return inputError(fmt::format("expected a value that stays within 64 bits for every n < "
                                      "2^31, found one of operands that reach from {}",
                                      rangesText(ranges)),
                          syntax.span);
      made.bounds = outcome.bounds;
    }
    auto node = std::make_shared<Node>(*make(op, std::move(exprs), syntax.where));
    node->value = op == Op::Integer ? value : 0;
    if (node->size > kMaxNodes)
      return tooLarge(syntax.where);
    if (node->depth > kMaxDepth)
      return inputError(fmt::format("expected at most {} operations one inside the other after "
                                    "definitions are expanded, found more",
                                    kMaxDepth),
                        syntax.where);
    made.expr = std::move(node);
    return made;
  }

  static std::string rangesText(const std::vector<Bounds> &ranges) {
    std::vector<std::string> parts;
    for (const Bounds &range : ranges)
      parts.push_back(fmt::format("{} to {}", range.low, range.high));
    return fmt::format("{}", fmt::join(parts, " and from "));
  }

  static Error divisorError(const Syntax &syntax, const Typed &divisor) {
    const SourceRange &where = syntax.operands[1].span;
    if (divisor.bounds.low == 0 && divisor.bounds.high == 0)
      return inputError("expected a divisor other than 0, found 0", where);
    return inputError(fmt::format("expected a divisor that is never 0, found one that reaches from "
                                  "{} to {}",
                                  divisor.bounds.low, divisor.bounds.high),
                      where);
  }

  Result<Typed> call(const Syntax &syntax, const Arguments &arguments) {
    const Function *function = functionNamed(syntax.name);
    auto definition = scope.definitions.find(syntax.name);
    std::vector<Typed> values;
    for (const Syntax &argument : syntax.operands) {
      Result<Typed> value = resolve(argument, arguments);
      if (!value)
        return value;
      if (function && value->isPredicate())
        return typeError(argument, false);
      values.push_back(*std::move(value));
    }
    if (function)
      return callFunction(*function, syntax, std::move(values));
    return callDefinition(definition->second, syntax, values);
  }

  Result<Typed> callFunction(const Function &function, const Syntax &syntax,
                             std::vector<Typed> values) {
    if (function.op != Op::Min && function.op != Op::Max)
      return build(function.op, syntax, std::move(values), 0);
    Typed folded = values[0];
    for (size_t i = 1; i < values.size(); ++i) {
      Result<Typed> next = build(function.op, syntax, {folded, values[i]}, 0);
      if (!next)
        return next;
      folded = *std::move(next);
    }
    return folded;
  }

  Result<Typed> callDefinition(const Definition &definition, const Syntax &syntax,
                               const std::vector<Typed> &values) {
    Arguments bound;
    for (size_t i = 0; i < values.size(); ++i)
      bound.emplace(definition.arguments[i], values[i]);
    Result<Typed> body = resolve(definition.body, bound);
    if (body)
      return body;
    Error error = body.error();
    if (!definition.where) {
      // Nobody wants to be pointed into the prelude: the call is what is wrong.
      error.where = syntax.span;
      error.notes.insert(error.notes.begin(),
                         fmt::format("{} is {}", usage(definition), definition.text));
    } else if (error.notes.size() < 4) {
      error.notes.push_back(
          fmt::format("in '{}', used at {}", usage(definition), placeOf(syntax.where)));
    }
    return error;
  }

  const Scope &scope;
  ExpansionBudget &budget;
};

/// The names and the argument counts of an expression; `locals` are a definition's arguments.
Result<void> checkNames(const Syntax &syntax, const Scope &scope,
                        const std::vector<std::string> &locals) {
  for (const Syntax &operand : syntax.operands)
    if (Result<void> checked = checkNames(operand, scope, locals); !checked)
      return checked;
  if (syntax.kind == Syntax::Number || syntax.kind == Syntax::Operator)
    return {};
  std::vector<std::string> values(locals);
  for (const NamedOp &leaf : kLeaves)
    values.emplace_back(leaf.name);
  for (const auto &[name, value] : scope.params)
    values.push_back(name);
  std::optional<Error> wrongCount;
  if (std::find(values.begin(), values.end(), syntax.name) != values.end())
    wrongCount = countError(syntax, 0, 0, syntax.name);
  else if (const Function *function = functionNamed(syntax.name))
    wrongCount = countError(syntax, function->least, function->most, std::string(function->usage));
  else if (auto found = scope.definitions.find(syntax.name); found != scope.definitions.end())
    wrongCount = countError(syntax, found->second.arguments.size(), found->second.arguments.size(),
                            usage(found->second));
  else {
    for (const Function &function : kFunctions)
      values.emplace_back(function.name);
    for (const auto &[name, definition] : scope.definitions)
      values.push_back(name);
    return inputError(
        fmt::format("unknown name {}{}", quote(syntax.name), suggestion(syntax.name, values)),
        syntax.where);
  }
  if (wrongCount)
    return *wrongCount;
  return {};
}

/// Depth-first over who uses whom.
class RecursionCheck {
public:
  explicit RecursionCheck(const Scope &scope) : scope(scope) {}

  Result<void> visit(const Definition &definition) {
    if (!done.insert(definition.name).second)
      return {};
    path.push_back(&definition);
    Result<void> result = visitUses(definition.body);
    path.pop_back();
    return result;
  }

private:
  Result<void> visitUses(const Syntax &syntax) {
    for (const Syntax &operand : syntax.operands)
      if (Result<void> result = visitUses(operand); !result)
        return result;
    auto used = scope.definitions.find(syntax.name);
    if (syntax.kind == Syntax::Number || syntax.kind == Syntax::Operator ||
        used == scope.definitions.end())
      return {};
    auto same = [&](const Definition *definition) { return definition == &used->second; };
    auto first = std::find_if(path.begin(), path.end(), same);
    if (first == path.end()) {
      if (path.size() >= kMaxNesting)
        return inputError(
            fmt::format("expected at most {} definitions, each using the next", kMaxNesting),
            syntax.where);
      return visit(used->second);
    }
    std::string way;
    for (auto step = first; step != path.end(); ++step)
      way += fmt::format("'{}' uses ", (*step)->name);
    return inputError(fmt::format("expected definitions that end, found one that calls itself: "
                                  "{}'{}'",
                                  way, syntax.name),
                      syntax.where);
  }

  const Scope &scope;
  std::set<std::string> done;
  std::vector<const Definition *> path;
};

int editDistance(const std::string &a, const std::string &b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      int above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

} // namespace

std::string suggestion(const std::string &name, const std::vector<std::string> &candidates) {
  if (name.size() > 64)
    return "";
  int best = name.size() <= 2 ? 1 : name.size() <= 5 ? 2 : 3;
  const std::string *nearest = nullptr;
  for (const std::string &candidate : candidates) {
    // A name that shares no letter is not near, however short it is.
    if (candidate.size() > 64 || candidate.size() < 2)
      continue;
    int distance = editDistance(name, candidate);
    if (distance < best || (distance == best && !nearest)) {
      if (distance >= static_cast<int>(std::max(name.size(), candidate.size())))
        continue;
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest ? fmt::format(": did you mean '{}'?", *nearest) : "";
}

bool isIdentifier(const std::string &text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || digit(c); });
}

Scope::Scope() {
  for (const PreludeEntry &entry : kPrelude) {
    Definition definition;
    definition.name = entry.name;
    for (std::string_view argument : entry.arguments)
      if (!argument.empty())
        definition.arguments.emplace_back(argument);
    definition.text = entry.body;
    auto source = std::make_shared<SourceText>(SourceText{"prelude", definition.text});
    Result<Syntax> body = parseSyntax(wholeText(source));
    assert(body && "the prelude parses");
    definition.body = *std::move(body);
    definitions.emplace(definition.name, std::move(definition));
  }
}

bool isReservedWord(const std::string &name) {
  static constexpr std::string_view kWords[] = {"and", "or",  "not",  "yes",   "no",
                                                "on",  "off", "true", "false", "null"};
  std::string lower = name;
  for (char &c : lower)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(std::begin(kWords), std::end(kWords), lower) != std::end(kWords);
}

std::string Scope::takenBy(const std::string &name) const {
  if (isReservedWord(name) || leafNamed(name) || functionNamed(name))
    return "a word of the language";
  if (params.count(name))
    return "a parameter";
  auto definition = definitions.find(name);
  if (definition == definitions.end())
    return "";
  return definition->second.where ? "a definition" : "part of the prelude";
}

Result<void> checkDefinitions(const Scope &scope) {
  for (const auto &[name, definition] : scope.definitions)
    if (Result<void> checked = checkNames(definition.body, scope, definition.arguments); !checked)
      return checked;
  RecursionCheck recursion(scope);
  for (const auto &[name, definition] : scope.definitions)
    if (Result<void> checked = recursion.visit(definition); !checked)
      return checked;
  return {};
}

Result<Expr> resolve(const Syntax &syntax, const Scope &scope, ExpansionBudget &budget) {
  if (Result<void> checked = checkNames(syntax, scope, {}); !checked)
    return checked.error();
  Result<Typed> typed = Resolver(scope, budget).resolve(syntax, {});
  if (!typed)
    return typed.error();
  return typed->expr;
}

Result<Expr> resolvePredicate(const Syntax &syntax, const Scope &scope, ExpansionBudget &budget) {
  Result<Expr> expr = resolve(syntax, scope, budget);
  if (expr && !isPredicate((*expr)->op))
    return inputError("expected a predicate (a comparison), found an integer", syntax.span);
  return expr;
}

Result<Expr> parsePredicate(std::shared_ptr<const SourceText> text) {
  Result<Syntax> syntax = parseSyntax(wholeText(std::move(text)));
  if (!syntax)
    return syntax.error();
  ExpansionBudget budget;
  return resolvePredicate(*syntax, Scope(), budget);
}

} // namespace sparsec
