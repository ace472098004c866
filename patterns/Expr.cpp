#include "patterns/Expr.h"

#include <algorithm>

namespace sparsec {

bool isPredicate(Op op) {
  return op >= Op::True;
}

bool equal(const Expr &a, const Expr &b) {
  if (a == b)
    return true;
  if (a->op != b->op || a->value != b->value || a->size != b->size || a->depth != b->depth ||
      a->operands.size() != b->operands.size())
    return false;
  for (size_t i = 0; i < a->operands.size(); ++i)
    if (!equal(a->operands[i], b->operands[i]))
      return false;
  return true;
}

bool mentions(const Expr &expr, Op leaf) {
  if (expr->op == leaf)
    return true;
  return std::any_of(expr->operands.begin(), expr->operands.end(),
                     [leaf](const Expr &operand) { return mentions(operand, leaf); });
}

Expr integer(int64_t value) {
  auto node = std::make_shared<Node>();
  node->op = Op::Integer;
  node->value = value;
  return node;
}

Expr leaf(Op op) {
  return make(op, {});
}

namespace {

#ifndef NDEBUG
/// How many operands an operator takes.
size_t arity(Op op) {
  switch (op) {
  case Op::Integer:
  case Op::Query:
  case Op::Key:
  case Op::Head:
  case Op::Keys:
  case Op::Queries:
  case Op::True:
  case Op::False:
    return 0;
  case Op::Negate:
  case Op::Abs:
  case Op::Not:
    return 1;
  case Op::Hash:
    return 3;
  case Op::Add:
  case Op::Subtract:
  case Op::Multiply:
  case Op::FloorDivide:
  case Op::Modulo:
  case Op::Min:
  case Op::Max:
  case Op::Less:
  case Op::LessEqual:
  case Op::Greater:
  case Op::GreaterEqual:
  case Op::Equal:
  case Op::NotEqual:
  case Op::And:
  case Op::Or:
    return 2;
  }
  return 0;
}

bool takesPredicates(Op op) {
  return op == Op::And || op == Op::Or || op == Op::Not;
}
#endif

} // namespace

Expr make(Op op, std::vector<Expr> operands, std::optional<SourceRange> where) {
  assert(operands.size() == arity(op));
  auto node = std::make_shared<Node>();
  node->op = op;
  node->where = std::move(where);
  for (const Expr &operand : operands) {
    assert(isPredicate(operand->op) == takesPredicates(op));
    node->size += operand->size;
    node->depth = std::max(node->depth, operand->depth + 1);
  }
  node->operands = std::move(operands);
  return node;
}

Expr exchanged(const Expr &expr) {
  switch (expr->op) {
  case Op::Query:
    return make(Op::Key, {}, expr->where);
  case Op::Key:
    return make(Op::Query, {}, expr->where);
  case Op::Keys:
    return make(Op::Queries, {}, expr->where);
  case Op::Queries:
    return make(Op::Keys, {}, expr->where);
  default:
    break;
  }
  if (expr->operands.empty())
    return expr;
  std::vector<Expr> operands;
  for (const Expr &operand : expr->operands)
    operands.push_back(exchanged(operand));
  return make(expr->op, std::move(operands), expr->where);
}

} // namespace sparsec
