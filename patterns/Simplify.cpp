#include "patterns/Expr.h"

namespace sparsec {

Expr simplify(const Expr &expr) {
  return expr;
}

} // namespace sparsec
