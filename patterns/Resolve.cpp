#include "patterns/Resolve.h"

#include "patterns/Names.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

std::string placeOf(const SourceRange &where) {
  return fmt::format("{}:{}:{}", where.source->name, where.line, where.column);
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

} // namespace

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
