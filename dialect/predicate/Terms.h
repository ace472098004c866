// The values that a predicate is emitted as, each with its rank and width.
//
//   over      Neither     OnQuery / OnKey     OnBoth
//   value     i32         tensor<64xi32>      tensor<64x32xi32>, rows of queries (or of keys)
//
// Internal to dialect/predicate.
#pragma once

#include "dialect/predicate/Emit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace sparsec {

inline Positions operator|(Positions a, Positions b) {
  return static_cast<Positions>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}

inline bool fitsSigned(const Bounds &b) {
  return b.low >= INT32_MIN && b.high <= INT32_MAX;
}
inline bool fitsUnsigned(const Bounds &b) {
  return b.low >= 0 && b.high <= UINT32_MAX;
}
inline bool isNarrow(const Bounds &b) {
  return fitsSigned(b) || fitsUnsigned(b);
}
inline int bitsFor(const Bounds &b) {
  return isNarrow(b) ? 32 : 64;
}

/// An emitted value and the positions it has an element for each of.
struct Term {
  mlir::Value value;
  Positions over = Neither;
};

/// An emitted integer: 32 bits wide when its bounds are narrow, else 64. A constant has no value:
/// it is made where it is used.
struct Number : Term {
  Bounds bounds;
  bool isConstant() const { return bounds.low == bounds.high; }
};

/// Raises and widens terms.
class TermBuilder {
public:
  TermBuilder(mlir::ImplicitLocOpBuilder &builder, const PredicateInputs &inputs)
      : b(builder), inputs(inputs) {}

protected:
  using Value = mlir::Value;
  mlir::SmallVector<int64_t> shape(Positions over);
  Value raise(Term term, Positions over);
  Value constant(int64_t value, int bits, Positions over);
  Value number(const Number &number, int bits, Positions over);
  Value truncate(Value value, Positions over);
  template <class Op>
  Term combine(Term left, Term right) {
    Positions over = left.over | right.over;
    Value x = raise(left, over), y = raise(right, over); // in this order with every compiler
    return {Op::create(b, x, y), over};
  }

  mlir::ImplicitLocOpBuilder &b;
  const PredicateInputs &inputs;
};

} // namespace sparsec
