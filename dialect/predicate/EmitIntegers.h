// Integer expressions as arithmetic of 32 bits where it loses nothing, else of 64.
//
// Internal to dialect/predicate.
#pragma once

#include "dialect/predicate/Terms.h"

namespace sparsec {

/// How an operation reads its operands.
enum class Reading { Signed32, Unsigned32, Signed64 };

/// The cheapest way to read both operands without loss; with `result`, to write it as well.
Reading readingOf(const Number &left, const Number &right, const Bounds *result = nullptr);

class IntegerEmitter : public TermBuilder {
public:
  IntegerEmitter(mlir::ImplicitLocOpBuilder &builder, const PredicateInputs &inputs,
                 PredicateFacts &facts)
      : TermBuilder(builder, inputs), facts(facts) {}

protected:
  Number integer(const Expr &expr);
  /// The condition of a Select.
  virtual Term truth(const Expr &predicate) = 0;
  ~IntegerEmitter() = default;
  PredicateFacts &facts;

private:
  Value emitInteger(const Expr &expr, const Bounds &bounds, Positions over);
  Value ring(const Expr &expr, int bits, Positions over);
  Value low32(const Expr &expr, Positions over);
  Term lowBits(const Expr &expr);
  Value absolute(const Number &of, int bits, Positions over);
  Value divide(const Expr &expr, Positions over);
  Value divideByPower(const Expr &expr, const Number &left, int64_t by, Positions over);
  Value divideSmall(Op op, const Number &left, int64_t by, Positions over);
  Value divideSigned(Op op, const Number &left, const Number &right, int bits, Positions over);
  Value extreme(Op op, const Number &left, const Number &right, const Bounds &bounds,
                Positions over);
  Value hash(const Expr &expr, Positions over);
  Value hash(llvm::ArrayRef<Term> products, int64_t known, Positions over);
  Value log2(const Number &of, Positions over);
  Value segment(const Expr &expr, Positions over);
  Number within(const Number &of, Bounds to);
  Value drawn(const Expr &expr, Positions over);
  Value select(const Expr &expr, int bits, Positions over);

  llvm::DenseMap<const Node *, Number> numbers; ///< the nodes are kept alive by the predicate
  llvm::DenseMap<const Node *, Term> lows;
};

} // namespace sparsec
