// An expression as text, with the fewest parentheses that parse back to the same tree.
#include "patterns/Expr.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

/// How tightly Python binds; a looser operand is put in parentheses.
enum Level { kChoice, kOr, kAnd, kNot, kComparison, kSum, kProduct, kUnary, kPrimary };

/// The level of an operator, and how it is written between two operands.
struct Infix {
  Level level;
  const char *text; ///< null: not written between two operands
};

Infix infixOf(Op op) {
  switch (op) {
  case Op::Integer:
  case Op::Query:
  case Op::Key:
  case Op::Head:
  case Op::Keys:
  case Op::Queries:
  case Op::Min:
  case Op::Max:
  case Op::Abs:
  case Op::Hash:
  case Op::Log2:
  case Op::Segment:
  case Op::Drawn:
  case Op::True:
  case Op::False:
    return {kPrimary, nullptr};
  case Op::Select:
    return {kChoice, nullptr};
  case Op::Negate:
    return {kUnary, nullptr};
  case Op::Not:
    return {kNot, nullptr};
  case Op::Add:
    return {kSum, " + "};
  case Op::Subtract:
    return {kSum, " - "};
  case Op::Multiply:
    return {kProduct, " * "};
  case Op::FloorDivide:
    return {kProduct, " // "};
  case Op::Modulo:
    return {kProduct, " % "};
  case Op::Less:
    return {kComparison, " < "};
  case Op::LessEqual:
    return {kComparison, " <= "};
  case Op::Greater:
    return {kComparison, " > "};
  case Op::GreaterEqual:
    return {kComparison, " >= "};
  case Op::Equal:
    return {kComparison, " == "};
  case Op::NotEqual:
    return {kComparison, " != "};
  case Op::And:
    return {kAnd, " and "};
  case Op::Or:
    return {kOr, " or "};
  }
  return {kPrimary, nullptr};
}

/// Leaves and the names of functions.
const char *nameOf(Op op) {
  switch (op) {
  case Op::Query:
    return "q";
  case Op::Key:
    return "k";
  case Op::Head:
    return "h";
  case Op::Keys:
    return "n";
  case Op::Queries:
    return "nq";
  case Op::True:
    return "True";
  case Op::False:
    return "False";
  case Op::Min:
    return "min";
  case Op::Max:
    return "max";
  case Op::Abs:
    return "abs";
  case Op::Hash:
    return "hash";
  case Op::Log2:
    return "log2";
  case Op::Segment:
    return "segment";
  case Op::Drawn:
    return "drawn";
  case Op::Select:
  case Op::Integer:
  case Op::Negate:
  case Op::Not:
  case Op::Add:
  case Op::Subtract:
  case Op::Multiply:
  case Op::FloorDivide:
  case Op::Modulo:
  case Op::Less:
  case Op::LessEqual:
  case Op::Greater:
  case Op::GreaterEqual:
  case Op::Equal:
  case Op::NotEqual:
  case Op::And:
  case Op::Or:
    return nullptr;
  }
  return nullptr;
}

class Printer {
public:
  explicit Printer(ListText lists) : lists(lists) {}

  void append(const Expr &expr, Level loosest) {
    const Node &node = *expr;
    auto [level, text] = infixOf(node.op);
    if (level < loosest) {
      out += '(';
      append(expr, kChoice);
      out += ')';
    } else if (node.op == Op::Integer) {
      out += fmt::to_string(node.value);
    } else if (node.op == Op::Not) {
      out += "not ";
      append(node.operands[0], kNot);
    } else if (node.op == Op::Negate) {
      // "-5" is a literal, so the negation of the literal 5 is written "-(5)".
      const Node &operand = *node.operands[0];
      bool literal = operand.op == Op::Integer && operand.value >= 0;
      out += literal ? "-(" : "-";
      append(node.operands[0], kUnary);
      out += literal ? ")" : "";
    } else if (node.op == Op::Select) {
      append(node.operands[1], kOr);
      out += " if ";
      append(node.operands[0], kOr);
      out += " else ";
      append(node.operands[2], kChoice);
    } else if (Membership member = membershipOf(expr); member.of) {
      append(member.of, kSum);
      out += member.member ? " in " : " not in ";
      append(member.borders->members, member.borders->name);
    } else if (text) {
      // Operators group from the left, so an equal level on the right needs parentheses; a
      // comparison's operands are sums, so that none reads as a chain.
      append(node.operands[0], level == kComparison ? kSum : level);
      out += text;
      append(node.operands[1], static_cast<Level>(level + 1));
    } else {
      appendCall(node);
    }
  }

  std::string out;

private:
  void appendCall(const Node &node) {
    out += nameOf(node.op);
    for (size_t i = 0; i < node.operands.size(); ++i) {
      out += i == 0 ? "(" : ", ";
      append(node.operands[i], kChoice);
    }
    if (node.op == Op::Segment) {
      out += ", ";
      // Borders have the name of what they are the borders of.
      append(node.list->values, node.list->members.empty() ? node.list->name : std::string());
    }
    if (!node.operands.empty())
      out += ')';
  }

  void append(const std::vector<int32_t> &values, const std::string &name) {
    if (lists == ListText::Named && !name.empty())
      out += name;
    else
      out += fmt::format("[{}]", fmt::join(values, ", "));
  }

  ListText lists;
};

} // namespace

std::string print(const Expr &expr, ListText lists) {
  Printer printer(lists);
  printer.append(expr, kChoice);
  return std::move(printer.out);
}

} // namespace sparsec
