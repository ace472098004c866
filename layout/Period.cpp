#include "layout/Period.h"

#include <map>
#include <numeric>
#include <unordered_map>

namespace sparsec {

namespace {

__extension__ typedef __int128 Wide;

constexpr int64_t kMost = int64_t{1} << 31; ///< of periods, changes and divisors

/// An integer's motion: e(at + period) == e(at) + change, wherever `at` is.
struct Motion {
  int64_t period = 1;
  int64_t change = 0;
};

/// Nothing when a number grows past what can be of use.
std::optional<Motion> motion(int64_t period, Wide change) {
  if (period > kMost || change > kMost || change < -kMost)
    return std::nullopt;
  return Motion{period, static_cast<int64_t>(change)};
}

std::optional<int64_t> commonMultiple(int64_t a, int64_t b) {
  // Both are at most 2^31, so the product fits.
  int64_t multiple = std::lcm(a, b);
  return multiple <= kMost ? std::optional(multiple) : std::nullopt;
}

/// What m changes by in `period` steps, a multiple of its own period.
Wide changeIn(const Motion &m, int64_t period) {
  return static_cast<Wide>(m.change) * (period / m.period);
}

/// Asks each node once: a remainder asks for what is below it in two ways, and so would each below.
class Mover {
public:
  explicit Mover(Direction direction) : direction(direction) {}

  std::optional<int64_t> ofPredicate(const Expr &predicate);

private:
  std::optional<Motion> of(const Expr &expr) {
    if (auto known = motions.find(expr.get()); known != motions.end())
      return known->second;
    return motions[expr.get()] = look(expr);
  }
  /// A period of expr mod m: expr may move, but by multiples of m.
  std::optional<int64_t> periodModulo(const Expr &expr, int64_t m) {
    std::pair<const Node *, int64_t> key(expr.get(), m);
    if (auto known = modulo.find(key); known != modulo.end())
      return known->second;
    return modulo[key] = lookModulo(expr, m);
  }

  std::optional<Motion> look(const Expr &expr);
  std::optional<int64_t> lookModulo(const Expr &expr, int64_t m);
  std::optional<Motion> sum(const Expr &expr, int sign);
  std::optional<Motion> product(const Expr &expr);
  std::optional<Motion> quotient(const Expr &expr);
  std::optional<Motion> remainder(const Expr &expr);
  std::optional<Motion> extremum(const Expr &expr);
  std::optional<Motion> ofRepeating(const Expr &expr);

  Direction direction;
  std::unordered_map<const Node *, std::optional<Motion>> motions;
  std::map<std::pair<const Node *, int64_t>, std::optional<int64_t>> modulo;
};

std::optional<Motion> Mover::look(const Expr &expr) {
  switch (expr->op) {
  case Op::Integer:
  case Op::Head:
  case Op::Keys:
  case Op::Queries:
    return Motion{1, 0};
  case Op::Query:
    return Motion{1, direction.q};
  case Op::Key:
    return Motion{1, direction.k};
  case Op::Negate: {
    std::optional<Motion> m = of(expr->operands[0]);
    return m ? motion(m->period, -m->change) : m;
  }
  case Op::Add:
    return sum(expr, 1);
  case Op::Subtract:
    return sum(expr, -1);
  case Op::Multiply:
    return product(expr);
  case Op::FloorDivide:
    return quotient(expr);
  case Op::Modulo:
    return remainder(expr);
  case Op::Min:
  case Op::Max:
    return extremum(expr);
  case Op::Abs:
  case Op::Hash:
  case Op::Log2:
  case Op::Segment:
  case Op::Drawn:
  case Op::Select:
    return ofRepeating(expr);
  case Op::True:
  case Op::False:
  case Op::Less:
  case Op::LessEqual:
  case Op::Greater:
  case Op::GreaterEqual:
  case Op::Equal:
  case Op::NotEqual:
  case Op::And:
  case Op::Or:
  case Op::Not:
    break; // predicates: see period()
  }
  return std::nullopt;
}

std::optional<Motion> Mover::sum(const Expr &expr, int sign) {
  std::optional<Motion> a = of(expr->operands[0]), b = of(expr->operands[1]);
  if (!a || !b)
    return std::nullopt;
  std::optional<int64_t> period = commonMultiple(a->period, b->period);
  if (!period)
    return std::nullopt;
  return motion(*period, changeIn(*a, *period) + sign * changeIn(*b, *period));
}

std::optional<Motion> Mover::product(const Expr &expr) {
  for (int constant : {0, 1}) {
    if (expr->operands[constant]->op != Op::Integer)
      continue;
    std::optional<Motion> m = of(expr->operands[1 - constant]);
    if (!m)
      return m;
    return motion(m->period, static_cast<Wide>(m->change) * expr->operands[constant]->value);
  }
  return ofRepeating(expr);
}

/// x // m changes by change / m once x changes by a multiple of m.
std::optional<Motion> Mover::quotient(const Expr &expr) {
  const Expr &divisor = expr->operands[1];
  if (divisor->op != Op::Integer)
    return ofRepeating(expr);
  int64_t m = divisor->value;
  std::optional<Motion> x = of(expr->operands[0]);
  if (!x || m == 0 || m > kMost || m < -kMost)
    return std::nullopt;
  int64_t times = std::abs(m) / std::gcd(x->change, m);
  if (x->period > kMost / times)
    return std::nullopt;
  return motion(x->period * times, static_cast<Wide>(x->change) * times / m);
}

std::optional<Motion> Mover::remainder(const Expr &expr) {
  const Expr &divisor = expr->operands[1];
  if (divisor->op != Op::Integer)
    return ofRepeating(expr);
  int64_t m = divisor->value;
  if (m == 0 || m > kMost || m < -kMost)
    return std::nullopt;
  std::optional<int64_t> period = periodModulo(expr->operands[0], std::abs(m));
  return period ? motion(*period, 0) : std::nullopt;
}

std::optional<int64_t> Mover::lookModulo(const Expr &expr, int64_t m) {
  if (std::optional<Motion> steady = of(expr)) {
    int64_t times = m / std::gcd(steady->change, m);
    return steady->period > kMost / times ? std::nullopt : std::optional(steady->period * times);
  }
  // Sums and products of what repeats modulo m repeat modulo m; q * k for one.
  if (expr->op != Op::Negate && expr->op != Op::Add && expr->op != Op::Subtract &&
      expr->op != Op::Multiply)
    return std::nullopt;
  std::optional<int64_t> common = 1;
  for (const Expr &operand : expr->operands) {
    std::optional<int64_t> period = periodModulo(operand, m);
    common = period ? commonMultiple(*common, *period) : period;
    if (!common)
      return std::nullopt;
  }
  return common;
}

/// min and max move when both operands move alike.
std::optional<Motion> Mover::extremum(const Expr &expr) {
  std::optional<Motion> a = of(expr->operands[0]), b = of(expr->operands[1]);
  if (!a || !b)
    return std::nullopt;
  std::optional<int64_t> period = commonMultiple(a->period, b->period);
  if (!period || changeIn(*a, *period) != changeIn(*b, *period))
    return std::nullopt;
  return motion(*period, changeIn(*a, *period));
}

/// Any operator repeats when all its operands do.
std::optional<Motion> Mover::ofRepeating(const Expr &expr) {
  std::optional<int64_t> common = 1;
  for (const Expr &operand : expr->operands) {
    if (isPredicate(operand->op)) { // of a Select
      std::optional<int64_t> own = sparsec::period(operand, direction);
      common = own ? commonMultiple(*common, *own) : own;
      if (!common)
        return std::nullopt;
      continue;
    }
    std::optional<Motion> m = of(operand);
    if (!m || m->change != 0)
      return std::nullopt;
    common = commonMultiple(*common, m->period);
    if (!common)
      return std::nullopt;
  }
  return motion(*common, 0);
}

std::optional<int64_t> Mover::ofPredicate(const Expr &predicate) {
  switch (predicate->op) {
  case Op::True:
  case Op::False:
    return 1;
  case Op::And:
  case Op::Or:
  case Op::Not: {
    std::optional<int64_t> common = 1;
    for (const Expr &operand : predicate->operands) {
      std::optional<int64_t> s = ofPredicate(operand);
      common = s ? commonMultiple(*common, *s) : s;
      if (!common)
        return std::nullopt;
    }
    return common;
  }
  case Op::Less:
  case Op::LessEqual:
  case Op::Greater:
  case Op::GreaterEqual:
  case Op::Equal:
  case Op::NotEqual: {
    // The sides may move, at one rate.
    std::optional<Motion> m = sum(predicate, -1);
    return m && m->change == 0 ? std::optional(m->period) : std::nullopt;
  }
  case Op::Integer:
  case Op::Query:
  case Op::Key:
  case Op::Head:
  case Op::Keys:
  case Op::Queries:
  case Op::Negate:
  case Op::Add:
  case Op::Subtract:
  case Op::Multiply:
  case Op::FloorDivide:
  case Op::Modulo:
  case Op::Min:
  case Op::Max:
  case Op::Abs:
  case Op::Hash:
  case Op::Log2:
  case Op::Segment:
  case Op::Drawn:
  case Op::Select:
    break; // not a predicate
  }
  return std::nullopt;
}

} // namespace

std::optional<int64_t> period(const Expr &predicate, Direction direction) {
  return Mover(direction).ofPredicate(predicate);
}

} // namespace sparsec
