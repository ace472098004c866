// An expression as it was written: names are still names. Resolve turns it into an Expr.
//
//   0 <= q - k < l        And
//                        /   \                   a chain is the conjunction of its links
//                     <=       <
//                    /  \     /  \.
//                   0  q - k q-k  l
//
// Precedence, loosest first, as in Python: if else, or, and, not, comparisons and in, + -, * // %,
// unary -. `if`, `else` and `in` are words only where an operator can stand: a file may use them as
// names. Refused: nesting deeper than kMaxNesting, chains of more than kMaxDepth operators.
#pragma once

#include "patterns/Expr.h"
#include "patterns/Lex.h"

namespace sparsec {

inline constexpr int kMaxNesting = 256;

struct Syntax {
  enum Kind : uint8_t {
    Number,
    Name,
    Call,
    Operator,
    List,   ///< [5, 9, 40]
    Member, ///< x in list: operands x and the list; `value` is 0 of `not in`, else 1
    Choice, ///< a if p else b: operands p, a, b
  } kind = Number;
  Op op = Op::Integer;          ///< of an Operator
  int64_t value = 0;            ///< of a Number
  ListRef list;                 ///< of a List
  std::string name;             ///< of a Name or a Call
  std::vector<Syntax> operands; ///< or arguments
  int depth = 1;
  SourceRange where; ///< the operator, the name, or the number
  SourceRange span;  ///< from the first token to the last, as far as they share a line
};

Result<Syntax> parseSyntax(const ExpressionText &text);

} // namespace sparsec
