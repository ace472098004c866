#include "patterns/Resolve.h"

#include "patterns/Guards.h"
#include "patterns/Names.h"

#include <fmt/format.h>

#include <utility>

namespace sparsec {

namespace {

std::string placeOf(const SourceRange &where) {
  return fmt::format("{}:{}:{}", where.source->name, where.line, where.column);
}

/// An expression with what is known of it, or a list.
struct Typed {
  Expr expr;
  Bounds bounds; ///< of an integer
  ListRef list;  ///< then there is no expr
  enum Kind { Integer, Predicate, List };
  Kind kind() const { return list ? List : sparsec::isPredicate(expr->op) ? Predicate : Integer; }
  bool isPredicate() const { return kind() == Predicate; }
};

using Arguments = std::map<std::string, Typed>;

/// More values drawn for one i than these are refused: each is a term of the predicate.
constexpr int64_t kMostDraws = 256;

class Resolver {
public:
  Resolver(const Scope &scope, ExpansionBudget &budget) : scope(scope), budget(budget) {}

  Result<Typed> resolve(const Syntax &syntax, const Arguments &arguments) {
    if (--budget.left < 0)
      return tooLarge(syntax.where);
    switch (syntax.kind) {
    case Syntax::Number:
      return build(Op::Integer, syntax, {}, syntax.value);
    case Syntax::List:
      return Typed{.expr = {}, .bounds = {}, .list = syntax.list};
    case Syntax::Name:
      return name(syntax, arguments);
    case Syntax::Call:
      return call(syntax, arguments);
    case Syntax::Operator:
      return operation(syntax, arguments);
    case Syntax::Member:
      return membership(syntax, arguments);
    case Syntax::Choice:
      return choice(syntax, arguments);
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

  Result<Typed> name(const Syntax &syntax, const Arguments &arguments) {
    if (auto argument = arguments.find(syntax.name); argument != arguments.end())
      return argument->second;
    if (auto param = scope.params.find(syntax.name); param != scope.params.end() && !inPrelude)
      return build(Op::Integer, syntax, {}, param->second);
    if (auto list = scope.lists.find(syntax.name); list != scope.lists.end() && !inPrelude)
      return Typed{.expr = {}, .bounds = {}, .list = list->second};
    if (std::optional<Op> leaf = leafNamed(syntax.name))
      return build(*leaf, syntax, {}, 0);
    return call(syntax, arguments);
  }

  static std::string_view nameOf(Typed::Kind kind) {
    return kind == Typed::Integer     ? "an integer"
           : kind == Typed::Predicate ? "a predicate"
                                      : "a list";
  }
  static Error typeError(const Syntax &found, Typed::Kind wanted, Typed::Kind is) {
    std::string_view more = wanted == Typed::Predicate ? " (a comparison)" : "";
    Error error = inputError(
        fmt::format("expected {}{}, found {}", nameOf(wanted), more, nameOf(is)), found.span);
    if (is == Typed::List)
      error.notes.emplace_back(
          "a list is searched: 'k in ends', or segment(t, ends), the number of "
          "its values that are at most t");
    return error;
  }
  Result<Typed> resolveAs(Typed::Kind wanted, const Syntax &syntax, const Arguments &arguments) {
    Result<Typed> value = resolve(syntax, arguments);
    if (value && value->kind() != wanted)
      return typeError(syntax, wanted, value->kind());
    return value;
  }

  Result<Typed> operation(const Syntax &syntax, const Arguments &arguments) {
    bool connects = syntax.op == Op::And || syntax.op == Op::Or;
    bool compares = syntax.op == Op::Equal || syntax.op == Op::NotEqual;
    Typed::Kind wanted = connects || syntax.op == Op::Not ? Typed::Predicate : Typed::Integer;
    std::vector<Typed> operands;
    for (const Syntax &operand : syntax.operands) {
      bool guarded = connects && operands.size() == 1;
      if (guarded)
        guards.push(operands[0].expr, syntax.op == Op::And);
      Result<Typed> value = resolve(operand, arguments);
      if (guarded)
        guards.pop();
      if (!value)
        return value;
      if (compares && operands.empty() && value->isPredicate())
        wanted = Typed::Predicate;
      if (value->kind() != wanted)
        return compares && wanted == Typed::Predicate
                   ? typeError(syntax.operands[0], Typed::Integer, Typed::Predicate)
                   : typeError(operand, wanted, value->kind());
      operands.push_back(*std::move(value));
    }
    if (compares && wanted == Typed::Predicate)
      return equivalence(syntax, operands);
    return build(syntax.op, syntax, std::move(operands), 0);
  }

  /// a == b of predicates: both or neither; a != b: one of them.
  Result<Typed> equivalence(const Syntax &syntax, const std::vector<Typed> &operands) {
    return either(syntax, operands[0], operands[1], syntax.op == Op::NotEqual, operands[1],
                  syntax.op == Op::Equal);
  }

  /// p and a or not p and b, each of a and b negated if so.
  Result<Typed> either(const Syntax &syntax, const Typed &p, const Typed &a, bool notA,
                       const Typed &b, bool notB) {
    auto make = [&](Op op, std::vector<Typed> operands) {
      return build(op, syntax, std::move(operands), 0);
    };
    auto when = [&](const Typed &condition, Typed value, bool negated) -> Result<Typed> {
      if (!negated)
        return make(Op::And, {condition, value});
      Result<Typed> inverse = make(Op::Not, {std::move(value)});
      return inverse ? make(Op::And, {condition, *inverse}) : inverse;
    };
    Result<Typed> notP = make(Op::Not, {p});
    if (!notP)
      return notP;
    Result<Typed> first = when(p, a, notA), second = when(*notP, b, notB);
    if (!first)
      return first;
    return second ? make(Op::Or, {*first, *second}) : second;
  }

  Result<Typed> membership(const Syntax &syntax, const Arguments &arguments) {
    Result<Typed> of = resolveAs(Typed::Integer, syntax.operands[0], arguments);
    if (!of)
      return of;
    Result<Typed> list = resolveAs(Typed::List, syntax.operands[1], arguments);
    if (!list)
      return list;
    Typed made;
    made.expr = isMember(of->expr, bordersOf(*list->list), syntax.value != 0, syntax.where);
    return checked(std::move(made), syntax);
  }

  Result<Typed> choice(const Syntax &syntax, const Arguments &arguments) {
    Result<Typed> condition = resolveAs(Typed::Predicate, syntax.operands[0], arguments);
    if (!condition)
      return condition;
    std::vector<Typed> values;
    for (size_t i : {1, 2}) {
      guards.push(condition->expr, i == 1);
      Result<Typed> value = resolve(syntax.operands[i], arguments);
      guards.pop();
      if (!value)
        return value;
      if (value->list)
        return typeError(syntax.operands[i], values.empty() ? Typed::Integer : values[0].kind(),
                         Typed::List);
      if (!values.empty() && value->kind() != values[0].kind())
        return typeError(syntax.operands[i], values[0].kind(), value->kind());
      values.push_back(*std::move(value));
    }
    if (values[0].isPredicate())
      return either(syntax, *condition, values[0], false, values[1], false);
    return build(Op::Select, syntax, {*condition, values[0], values[1]}, 0);
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
      BoundsOutcome outcome = boundsOf(op, value, nullptr, ranges.data(), ranges.size());
      if (outcome.kind != BoundsOutcome::Bounded && !guards.empty())
        outcome = guarded(op, exprs, ranges);
      if (outcome.kind == BoundsOutcome::MayDivideByZero)
        return divisorError(syntax, operands[1]);
      if (outcome.kind == BoundsOutcome::LeavesSixtyFourBits)
        return inputError(fmt::format("expected a value that stays within 64 bits for every n < "
                                      "2^31, found one of operands that reach from {}",
                                      rangesText(ranges)),
                          syntax.span);
      made.bounds = outcome.bounds;
    }
    if (op == Op::Integer)
      made.expr = integer(value);
    else
      made.expr = make(op, std::move(exprs));
    if (inPrelude)
      made.expr = folded(made.expr);
    return checked(std::move(made), syntax);
  }

  /// The operands kept within what the guards allow, where that makes the operator safe.
  BoundsOutcome guarded(Op op, std::vector<Expr> &exprs, std::vector<Bounds> &ranges) const {
    std::vector<Expr> kept = exprs;
    std::vector<Bounds> narrow = ranges;
    for (size_t i = 0; i < exprs.size(); ++i) {
      if (isPredicate(exprs[i]->op) || (i == 0 && (op == Op::FloorDivide || op == Op::Modulo)))
        continue;
      narrow[i] = guards.narrowed(exprs[i], ranges[i]);
      if (narrow[i].low > ranges[i].low)
        kept[i] = make(Op::Max, {kept[i], integer(narrow[i].low)}, exprs[i]->where);
      if (narrow[i].high < ranges[i].high)
        kept[i] = make(Op::Min, {kept[i], integer(narrow[i].high)}, exprs[i]->where);
    }
    BoundsOutcome outcome = boundsOf(op, 0, nullptr, narrow.data(), narrow.size());
    if (outcome.kind == BoundsOutcome::Bounded) {
      exprs = std::move(kept);
      ranges = std::move(narrow);
    }
    return outcome;
  }

  /// What the prelude's own text leaves over for arguments that are 1: t // 1, u % 1 == 0.
  static Expr folded(const Expr &expr) {
    auto isNumber = [&](size_t i, int64_t value) {
      return expr->operands[i]->op == Op::Integer && expr->operands[i]->value == value;
    };
    bool numbers = !expr->operands.empty() && expr->op != Op::Segment;
    for (const Expr &operand : expr->operands)
      numbers = numbers && operand->op == Op::Integer;
    if (numbers)
      return isPredicate(expr->op) ? leaf(evaluate(expr, {}, {}) ? Op::True : Op::False)
                                   : integer(evaluateInteger(expr, {}, {}));
    switch (expr->op) {
    case Op::FloorDivide:
    case Op::Multiply:
      return isNumber(1, 1) ? expr->operands[0] : expr;
    case Op::Modulo:
      return isNumber(1, 1) ? integer(0) : expr;
    case Op::Add:
    case Op::Subtract:
      return isNumber(1, 0) ? expr->operands[0] : expr;
    case Op::And:
      return expr->operands[0]->op == Op::True ? expr->operands[1] : expr;
    default:
      return expr;
    }
  }

  /// A finished node with its place, of a size that readings can bear.
  Result<Typed> checked(Typed made, const Syntax &syntax) const {
    auto node = std::make_shared<Node>(*made.expr);
    node->where = syntax.where;
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
    auto definition = scope.definitions.find(syntax.name);
    const Function *function = functionNamed(syntax.name);
    if (function && (inPrelude || definition == scope.definitions.end()))
      return callFunction(*function, syntax, arguments);
    std::vector<Typed> values;
    for (const Syntax &argument : syntax.operands) {
      Result<Typed> value = resolve(argument, arguments);
      if (!value)
        return value;
      values.push_back(*std::move(value));
    }
    return callDefinition(definition->second, syntax, values);
  }

  Result<Typed> callFunction(const Function &function, const Syntax &syntax,
                             const Arguments &arguments) {
    std::vector<Typed> values;
    for (size_t i = 0; i < syntax.operands.size(); ++i) {
      bool list = function.op == Op::Segment && i == 1;
      Result<Typed> value =
          resolveAs(list ? Typed::List : Typed::Integer, syntax.operands[i], arguments);
      if (!value)
        return value;
      values.push_back(*std::move(value));
    }
    if (function.op == Op::True)
      return draw(syntax, values);
    if (function.op == Op::Segment) {
      Typed made;
      made.expr = segment(values[0].expr, values[1].list);
      made.bounds = boundsOf(Op::Segment, 0, values[1].list.get(), &values[0].bounds, 1).bounds;
      return checked(std::move(made), syntax);
    }
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

  /// draw(r, i, j, m, seed): 0 <= j < m, and j is the value at one of r places.
  Result<Typed> draw(const Syntax &syntax, const std::vector<Typed> &values) {
    const Bounds &r = values[0].bounds;
    if (r.low != r.high || r.low < 0 || r.low > kMostDraws)
      return inputError(
          fmt::format("expected a number of values to draw, from 0 to {}, of numbers and "
                      "parameters, found {}",
                      kMostDraws,
                      r.low == r.high
                          ? fmt::format("{}", r.low)
                          : fmt::format("one that reaches from {} to {}", r.low, r.high)),
          syntax.operands[0].span);
    const Typed &i = values[1], &j = values[2], &m = values[3], &seed = values[4];
    auto make = [&](Op op, std::vector<Typed> operands, int64_t value = 0) {
      return build(op, syntax, std::move(operands), value);
    };
    Result<Typed> any = make(Op::False, {});
    for (int64_t place = 0; any && place < r.low; ++place) {
      Result<Typed> number = make(Op::Integer, {}, place);
      Result<Typed> drawn = make(Op::Drawn, {*number, i, m, seed});
      if (!drawn)
        return drawn;
      Result<Typed> same = make(Op::Equal, {j, *drawn});
      if (!same)
        return same;
      any = place == 0 ? same : make(Op::Or, {*any, *same});
    }
    if (!any)
      return any;
    Result<Typed> none = make(Op::Integer, {}, 0);
    Result<Typed> above = make(Op::LessEqual, {*none, j}), below = make(Op::Less, {j, m});
    if (!above)
      return above;
    Result<Typed> inside = below ? make(Op::And, {*above, *below}) : below;
    return inside ? make(Op::And, {*inside, *any}) : inside;
  }

  Result<Typed> callDefinition(const Definition &definition, const Syntax &syntax,
                               const std::vector<Typed> &values) {
    Arguments bound;
    for (size_t i = 0; i < values.size(); ++i)
      bound.emplace(definition.arguments[i], values[i]);
    for (size_t i = values.size(); i < definition.arguments.size(); ++i)
      bound.emplace(definition.arguments[i], Typed{integer(1), {1, 1}, {}});
    bool around = std::exchange(inPrelude, !definition.where);
    Result<Typed> body = resolve(definition.body, bound);
    inPrelude = around;
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
  Guards guards;
  bool inPrelude = false; ///< a file's names do not reach into it
};

} // namespace

Result<Expr> resolve(const Syntax &syntax, const Scope &scope, ExpansionBudget &budget) {
  if (Result<void> checked = checkNames(syntax, scope, {}); !checked)
    return checked.error();
  Result<Typed> typed = Resolver(scope, budget).resolve(syntax, {});
  if (!typed)
    return typed.error();
  if (typed->list)
    return inputError("expected an integer or a predicate, found a list", syntax.span);
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
