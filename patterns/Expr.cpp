#include "patterns/Expr.h"

#include <algorithm>

namespace sparsec {

bool isPredicate(Op op) {
  return op >= Op::True;
}

bool equal(const Expr &a, const Expr &b) {
  if (a == b)
    return true;
  if (a->op != b->op || a->value != b->value || !sameValues(a->list, b->list) ||
      a->size != b->size || a->depth != b->depth || a->operands.size() != b->operands.size())
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
  case Op::Log2:
  case Op::Segment:
  case Op::Not:
    return 1;
  case Op::Hash:
  case Op::Select:
    return 3;
  case Op::Drawn:
    return 4;
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

/// Whether its operand i is a predicate.
bool takesPredicate(Op op, size_t i) {
  return op == Op::And || op == Op::Or || op == Op::Not || (op == Op::Select && i == 0);
}
#endif

} // namespace

Expr make(Op op, std::vector<Expr> operands, std::optional<SourceRange> where) {
  assert(operands.size() == arity(op) && operands.size() <= kMostOperands);
  assert(op != Op::Segment && "a Segment has a list: segment()");
  auto node = std::make_shared<Node>();
  node->op = op;
  node->where = std::move(where);
  for (const Expr &operand : operands) {
    assert(isPredicate(operand->op) ==
           takesPredicate(op, static_cast<size_t>(&operand - operands.data())));
    node->size += operand->size;
    node->depth = std::max(node->depth, operand->depth + 1);
  }
  node->operands = std::move(operands);
  return node;
}

Expr segment(Expr of, ListRef list, std::optional<SourceRange> where) {
  assert(!isPredicate(of->op) && list);
  auto node = std::make_shared<Node>();
  node->op = Op::Segment;
  node->list = std::move(list);
  node->where = std::move(where);
  node->size += of->size;
  node->depth += of->depth;
  node->operands.push_back(std::move(of));
  return node;
}

Expr isMember(Expr of, ListRef borders, bool member, std::optional<SourceRange> where) {
  Expr parity =
      make(Op::Modulo, {segment(std::move(of), std::move(borders), where), integer(2)}, where);
  return make(Op::Equal, {std::move(parity), integer(member ? 1 : 0)}, where);
}

Membership membershipOf(const Expr &expr) {
  if (expr->op != Op::Equal || expr->operands[0]->op != Op::Modulo)
    return {};
  const Expr &of = expr->operands[0]->operands[0], &by = expr->operands[0]->operands[1],
             &rest = expr->operands[1];
  bool parity = by->op == Op::Integer && by->value == 2 && rest->op == Op::Integer &&
                (rest->value == 0 || rest->value == 1);
  if (!parity || of->op != Op::Segment || of->list->members.empty())
    return {};
  return {of->operands[0], of->list, rest->value == 1};
}

Expr rebuilt(const Expr &like, std::vector<Expr> operands) {
  if (like->op == Op::Segment)
    return segment(std::move(operands[0]), like->list, like->where);
  assert(like->op != Op::Integer);
  return make(like->op, std::move(operands), like->where);
}

Expr exchanged(const Expr &expr, int64_t queriesFrom) {
  switch (expr->op) {
  case Op::Query: {
    Expr key = make(Op::Key, {}, expr->where);
    return queriesFrom ? make(Op::Add, {key, integer(queriesFrom)}, expr->where) : key;
  }
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
    operands.push_back(exchanged(operand, queriesFrom));
  return rebuilt(expr, std::move(operands));
}

} // namespace sparsec
