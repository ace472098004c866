// Every small predicate, and random larger ones: what the exhaustive tests of every folder run
// over.
//
//   operators = 1      q < k, q <= k, 0 == n, ...                        384
//   operators = 2      q - k < 3, q < abs(k), not q < k, ...             some 30,000
//   operators = 3      q % 3 == k // 2, q < k and k < n, ...             millions
//
// Leaves: h q k n 0 1 2 3. Operators: + - * // % min max, unary - and abs, the six comparisons, and
// or not; comparisons and connectives count. Left out: what the language refuses (a divisor that
// may be 0, a value that may leave 64 bits), so everything visited could come from a file.
//
// Nearly all predicates of three operators are one comparison with two operators of arithmetic.
// `arithmeticSample` visits one in so many of those, chosen by a hash of their number: the same
// ones in every run, and no pattern of the loops below survives in the choice.
#pragma once

#include "patterns/Classify.h"

#include <functional>
#include <random>

namespace sparsec::testing {

using Visit = std::function<void(const Expr &)>;

struct EnumerateOptions {
  int operators = 3; ///< exactly so many
  uint64_t arithmeticSample = 1;
};

inline constexpr Op kLeafOps[] = {Op::Head, Op::Query, Op::Key, Op::Keys};
inline constexpr Op kArithmetic[] = {Op::Add,    Op::Subtract, Op::Multiply, Op::FloorDivide,
                                     Op::Modulo, Op::Min,      Op::Max};
inline constexpr Op kUnaryArithmetic[] = {Op::Negate, Op::Abs};
inline constexpr Op kComparisonOps[] = {Op::Less,         Op::LessEqual, Op::Greater,
                                        Op::GreaterEqual, Op::Equal,     Op::NotEqual};
inline constexpr Op kConnectives[] = {Op::And, Op::Or};

/// Every integer expression of exactly `operators` operators that the language accepts; the ones of
/// fewer operators are `smaller`.
inline std::vector<Expr> integersOf(int operators, const std::vector<std::vector<Expr>> &smaller) {
  std::vector<Expr> all;
  auto accept = [&all](Expr expr) {
    if (bounds(expr))
      all.push_back(std::move(expr));
  };
  if (operators == 0) {
    for (Op op : kLeafOps)
      all.push_back(leaf(op));
    for (int64_t value = 0; value <= 3; ++value)
      all.push_back(integer(value));
    return all;
  }
  for (const Expr &operand : smaller[operators - 1])
    for (Op op : kUnaryArithmetic)
      accept(make(op, {operand}));
  for (int left = 0; left < operators; ++left)
    for (const Expr &a : smaller[left])
      for (const Expr &b : smaller[operators - 1 - left])
        for (Op op : kArithmetic)
          accept(make(op, {a, b}));
  return all;
}

/// Calls visit(predicate) for every predicate of exactly options.operators operators.
inline void forEachPredicate(const EnumerateOptions &options, const Visit &visit) {
  if (options.operators == 0) {
    visit(leaf(Op::True));
    visit(leaf(Op::False));
    return;
  }
  std::vector<std::vector<Expr>> integers;
  for (int operators = 0; operators < options.operators; ++operators)
    integers.push_back(integersOf(operators, integers));
  uint64_t number = 0;
  auto chosen = [&] { // a multiplicative hash, its high bits
    uint64_t x = ++number * 0x9E3779B97F4A7C15u;
    return (x ^ x >> 29) * 0xBF58476D1CE4E5B9u % options.arithmeticSample == 0;
  };
  for (int left = 0; left < options.operators; ++left) {
    int right = options.operators - 1 - left;
    bool sampled = options.operators > 2 && options.arithmeticSample > 1;
    for (const Expr &a : integers[left])
      for (const Expr &b : integers[right])
        for (Op op : kComparisonOps)
          if (!sampled || chosen())
            visit(make(op, {a, b}));
  }
  if (options.operators == 1)
    return;
  auto collect = [&](int operators) {
    std::vector<Expr> all;
    EnumerateOptions smaller = options;
    smaller.operators = operators;
    forEachPredicate(smaller, [&all](const Expr &predicate) { all.push_back(predicate); });
    return all;
  };
  for (const Expr &operand : collect(options.operators - 1))
    visit(make(Op::Not, {operand}));
  for (int left = 1; left + 1 < options.operators; ++left)
    for (const Expr &a : collect(left))
      for (const Expr &b : collect(options.operators - 1 - left))
        for (Op op : kConnectives)
          visit(make(op, {a, b}));
}

/// Calls visit for every predicate of at most options.operators operators.
inline void forEachPredicateUpTo(const EnumerateOptions &options, const Visit &visit) {
  for (int operators = 0; operators <= options.operators; ++operators)
    forEachPredicate({.operators = operators, .arithmeticSample = options.arithmeticSample}, visit);
}

/// Random predicates of a stated number of operators, with larger numbers, nq, hash, searches in
/// lists and choices; accepted by the language. The same seed gives the same ones.
class RandomPredicates {
public:
  explicit RandomPredicates(uint64_t seed) : random(seed) {}

  Expr predicate(int operators) {
    if (operators <= 1)
      return compare(0);
    switch (below(8)) {
    case 0:
      return make(Op::Not, {predicate(operators - 1)});
    case 1:
    case 2:
    case 3:
    case 4:
      if (operators >= 3) {
        int left = 1 + below(operators - 2);
        return make(kConnectives[below(2)], {predicate(left), predicate(operators - 1 - left)});
      }
      [[fallthrough]];
    default:
      return compare(operators - 1);
    }
  }

  Expr integerOf(int operators) {
    for (;;) { // again until it is one that the language accepts
      Expr expr = attempt(operators);
      if (bounds(expr))
        return expr;
    }
  }

private:
  int below(int n) { return static_cast<int>(random() % static_cast<uint64_t>(n)); }

  Expr compare(int operators) {
    int left = below(operators + 1);
    return make(kComparisonOps[below(6)], {integerOf(left), integerOf(operators - left)});
  }

  Expr attempt(int operators) {
    if (operators == 0) {
      static constexpr int64_t kNumbers[] = {-7, -1, 0, 1, 2, 3, 4, 5, 8, 12, 64, 1000003};
      static constexpr Op kLeaves[] = {Op::Query, Op::Key, Op::Head, Op::Keys, Op::Queries};
      return below(2) ? integer(kNumbers[below(12)]) : leaf(kLeaves[below(8) % 5]);
    }
    int kind = below(15);
    if (kind < 2)
      return make(kUnaryArithmetic[kind], {integerOf(operators - 1)});
    if (kind == 2 && operators >= 2)
      return make(Op::Hash, {integerOf(0), integerOf(operators - 2), integerOf(1)});
    if (kind == 12)
      return make(Op::Log2, {integerOf(operators - 1)});
    if (kind == 13)
      return segment(integerOf(operators - 1), list());
    if (kind == 14 && operators >= 3)
      return operators % 2 ? make(Op::Select, {compare(operators - 3), integerOf(1), integerOf(0)})
                           : make(Op::Drawn, {integerOf(0), integerOf(operators - 3), integerOf(1),
                                              integerOf(0)});
    int left = below(operators);
    return make(kArithmetic[below(7)], {integerOf(left), integerOf(operators - 1 - left)});
  }

  /// Short ones, which are compared with, and longer ones, which are searched.
  ListRef list() {
    std::vector<int64_t> values;
    for (int count = 1 + below(below(2) ? 4 : 40); count > 0; --count)
      values.push_back(below(8) ? below(48) : below(1 << 20) - (1 << 19));
    return below(2) ? makeList(values) : bordersOf(*makeList(values));
  }

  std::mt19937_64 random;
};

} // namespace sparsec::testing
