#include "patterns/Linear.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace sparsec {

namespace {

/// Sums of more terms than this stay as they are written.
constexpr size_t kMaxTerms = 256;

int rank(Op op) {
  // q first, then k, so that sums and comparisons read the way people write them.
  return op == Op::Query ? -2 : op == Op::Key ? -1 : static_cast<int>(op);
}

Linear atom(Expr expr) {
  Linear sum;
  sum.terms.emplace(std::move(expr), 1);
  return sum;
}

Linear number(int64_t value) {
  Linear sum;
  sum.constant = value;
  return sum;
}

std::optional<int64_t> scaled(int64_t a, int64_t factor, int64_t b) {
  int64_t product = 0, result = 0;
  if (__builtin_mul_overflow(a, factor, &product) || __builtin_add_overflow(product, b, &result))
    return std::nullopt;
  return result;
}

bool isConstant(const Linear &sum) {
  return sum.terms.empty();
}

/// The one atom a sum consists of, or null.
Expr soleAtom(const Linear &sum) {
  if (sum.constant == 0 && sum.terms.size() == 1 && sum.terms.begin()->second == 1)
    return sum.terms.begin()->first;
  return nullptr;
}

int64_t commonFactor(const Linear &sum, int64_t with) {
  for (const auto &[atom, factor] : sum.terms)
    with = std::gcd(with, factor);
  return with;
}

/// The terms and constant divided by a common factor of the terms, rounding the constant down.
Linear divided(const Linear &sum, int64_t factor) {
  Linear result;
  for (const auto &[atom, coefficient] : sum.terms)
    result.terms.emplace(atom, coefficient / factor);
  result.constant = floorDivide(sum.constant, factor);
  return result;
}

/// sum // m for m >= 1. Nothing when a number leaves 64 bits.
std::optional<Linear> quotient(const Linear &sum, int64_t m) {
  Linear whole = number(floorDivide(sum.constant, m)), rest = number(floorModulo(sum.constant, m));
  for (const auto &[atom, coefficient] : sum.terms)
    (coefficient % m == 0 ? whole : rest)
        .terms.emplace(atom, coefficient % m == 0 ? coefficient / m : coefficient);
  WideBounds range = boundsOf(rest);
  if (range.low >= 0 && range.high < m)
    return whole;
  int64_t factor = commonFactor(rest, m);
  rest = divided(rest, factor);
  m /= factor;
  if (Expr inner = soleAtom(rest); inner && inner->op == Op::FloorDivide) {
    const Expr &divisor = inner->operands[1]; // (x // a) // b is x // (a b)
    int64_t product = 0;
    if (divisor->op == Op::Integer && divisor->value > 0 &&
        !__builtin_mul_overflow(divisor->value, m, &product)) {
      std::optional<Linear> merged = quotient(linear(inner->operands[0]), product);
      return merged ? combine(*merged, 1, whole) : merged;
    }
  }
  return combine(atom(make(Op::FloorDivide, {render(rest), integer(m)})), 1, whole);
}

/// sum % m for m >= 1.
std::optional<Linear> modulo(const Linear &sum, int64_t m) {
  Linear rest = number(floorModulo(sum.constant, m));
  for (const auto &[atom, coefficient] : sum.terms) {
    int64_t reduced = floorModulo(coefficient, m);
    if (reduced > m - reduced) // the nearest to 0, so that -k stays -k
      reduced -= m;
    if (reduced != 0)
      rest.terms.emplace(atom, reduced);
  }
  auto isRemainder = [m](const Linear &candidate) {
    WideBounds range = boundsOf(candidate);
    return range.low >= 0 && range.high < m;
  };
  if (isRemainder(sum))
    return sum;
  if (isRemainder(rest))
    return rest;
  int64_t factor = commonFactor(rest, m), left = floorModulo(rest.constant, factor);
  rest = divided(rest, factor);
  m /= factor;
  if (Expr inner = soleAtom(rest); inner && inner->op == Op::Modulo) {
    const Expr &divisor = inner->operands[1]; // (x % (a b)) % b is x % b
    if (divisor->op == Op::Integer && divisor->value > 0 && divisor->value % m == 0) {
      std::optional<Linear> merged = modulo(linear(inner->operands[0]), m);
      return merged ? combine(*merged, factor, number(left)) : merged;
    }
  }
  return combine(atom(make(Op::Modulo, {render(rest), integer(m)})), factor, number(left));
}

std::optional<Linear> negated(const std::optional<Linear> &sum) {
  return sum ? combine(*sum, -1, number(0)) : sum;
}

std::optional<Linear> divisionOf(Op op, const Linear &a, const Linear &b) {
  if (!isConstant(b)) {
    if (isConstant(a) && a.constant == 0)
      return number(0);
    return atom(make(op, {render(a), render(b)}));
  }
  if (b.constant > 0)
    return op == Op::Modulo ? modulo(a, b.constant) : quotient(a, b.constant);
  std::optional<Linear> flipped = negated(a); // a // -m is -a // m, and a % -m is -(-a % m)
  if (!flipped || b.constant == std::numeric_limits<int64_t>::min())
    return std::nullopt;
  return op == Op::Modulo ? negated(modulo(*flipped, -b.constant))
                          : quotient(*flipped, -b.constant);
}

std::optional<Linear> productOf(const Linear &a, const Linear &b) {
  if (isConstant(a))
    return combine(b, a.constant, number(0));
  if (isConstant(b))
    return combine(a, b.constant, number(0));
  Expr left = render(a), right = render(b);
  if (compare(left, right) > 0)
    std::swap(left, right);
  return atom(make(Op::Multiply, {left, right}));
}

std::optional<Linear> extremeOf(Op op, const Linear &a, const Linear &b) {
  std::optional<Linear> difference = combine(b, -1, a);
  if (!difference)
    return std::nullopt;
  WideBounds range = boundsOf(*difference); // a - b
  if (range.high <= 0)
    return op == Op::Min ? a : b;
  if (range.low >= 0)
    return op == Op::Min ? b : a;
  Expr left = render(a), right = render(b);
  if (compare(left, right) > 0)
    std::swap(left, right);
  return atom(make(op, {left, right}));
}

std::optional<Linear> absoluteOf(const Linear &a) {
  WideBounds range = boundsOf(a);
  if (range.low >= 0)
    return a;
  std::optional<Linear> flipped = negated(a);
  if (range.high <= 0 || !flipped)
    return flipped;
  return atom(make(Op::Abs, {render(a.terms.begin()->second < 0 ? *flipped : a)}));
}

std::optional<Linear> hashOf(const std::vector<Linear> &operands) {
  if (std::all_of(operands.begin(), operands.end(), isConstant))
    return number(hash32(operands[0].constant, operands[1].constant, operands[2].constant));
  return atom(make(Op::Hash, {render(operands[0]), render(operands[1]), render(operands[2])}));
}

/// An operator that a sum is no help with: known where its operands are, or where it can have one
/// value alone.
std::optional<Linear> searchOf(const Expr &expr, const std::vector<Linear> &operands) {
  std::vector<Expr> rendered;
  for (const Linear &operand : operands)
    rendered.push_back(render(operand));
  Expr same = expr->op == Op::Segment ? segment(rendered[0], expr->list)
                                      : make(expr->op, std::move(rendered));
  if (std::all_of(operands.begin(), operands.end(), isConstant))
    return number(evaluateInteger(same, {}, {}));
  if (std::optional<Bounds> range = bounds(same); range && range->low == range->high)
    return number(range->low);
  return atom(same);
}

/// a if p else b; what both have in common stays outside: nothing is gained by looking.
Linear selectOf(const Expr &expr) {
  Expr condition = simplify(expr->operands[0]);
  if (condition->op == Op::True || condition->op == Op::False)
    return linear(expr->operands[condition->op == Op::True ? 1 : 2]);
  Linear first = linear(expr->operands[1]), second = linear(expr->operands[2]);
  if (first == second)
    return first;
  return atom(make(Op::Select, {condition, render(first), render(second)}));
}

/// An operator on operands that are sums already.
std::optional<Linear> operatorOn(const Expr &expr, const std::vector<Linear> &operands) {
  switch (expr->op) {
  case Op::Integer:
    return number(expr->value);
  case Op::Query:
  case Op::Key:
  case Op::Head:
  case Op::Keys:
  case Op::Queries:
    return atom(expr->where ? leaf(expr->op) : expr);
  case Op::Negate:
    return negated(operands[0]);
  case Op::Add:
    return combine(operands[0], 1, operands[1]);
  case Op::Subtract:
    return combine(operands[1], -1, operands[0]);
  case Op::Multiply:
    return productOf(operands[0], operands[1]);
  case Op::FloorDivide:
  case Op::Modulo:
    return divisionOf(expr->op, operands[0], operands[1]);
  case Op::Min:
  case Op::Max:
    return extremeOf(expr->op, operands[0], operands[1]);
  case Op::Abs:
    return absoluteOf(operands[0]);
  case Op::Hash:
    return hashOf(operands);
  case Op::Log2:
  case Op::Segment:
  case Op::Drawn:
    return searchOf(expr, operands);
  case Op::Select: // its condition is no sum: linear()
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
    break;
  }
  assert(false && "a predicate is no sum");
  return std::nullopt;
}

Expr term(const Expr &atom, int64_t coefficient) {
  return coefficient == 1 ? atom : make(Op::Multiply, {integer(coefficient), atom});
}

} // namespace

int compare(const Expr &a, const Expr &b) {
  if (a == b)
    return 0;
  bool leafA = a->operands.empty(), leafB = b->operands.empty();
  if (leafA != leafB)
    return leafA ? -1 : 1;
  if (a->op != b->op)
    return rank(a->op) < rank(b->op) ? -1 : 1;
  if (a->value != b->value)
    return a->value < b->value ? -1 : 1;
  if (int order = compareValues(a->list, b->list))
    return order;
  for (size_t i = 0; i < a->operands.size(); ++i)
    if (int order = compare(a->operands[i], b->operands[i]))
      return order;
  return 0;
}

bool Linear::operator==(const Linear &other) const {
  return constant == other.constant &&
         std::equal(terms.begin(), terms.end(), other.terms.begin(), other.terms.end(),
                    [](const auto &x, const auto &y) {
                      return x.second == y.second && equal(x.first, y.first);
                    });
}

std::optional<Linear> combine(const Linear &a, int64_t factor, const Linear &b) {
  Linear sum = b;
  if (factor == 0)
    return sum;
  std::optional<int64_t> constant = scaled(a.constant, factor, b.constant);
  if (!constant)
    return std::nullopt;
  sum.constant = *constant;
  for (const auto &[atom, coefficient] : a.terms) {
    auto [place, isNew] = sum.terms.emplace(atom, 0);
    std::optional<int64_t> total = scaled(coefficient, factor, place->second);
    if (!total)
      return std::nullopt;
    place->second = *total;
    if (*total == 0)
      sum.terms.erase(place);
  }
  if (sum.terms.size() > kMaxTerms)
    return std::nullopt;
  return sum;
}

Linear linear(const Expr &expr) {
  if (expr->op == Op::Select) {
    Linear chosen = selectOf(expr);
    return bounds(render(chosen)) ? chosen : atom(expr);
  }
  std::vector<Linear> operands;
  for (const Expr &operand : expr->operands)
    operands.push_back(linear(operand));
  std::optional<Linear> sum = operatorOn(expr, operands);
  // Sums in another order may leave 64 bits on the way where the expression as written does not.
  if (sum && bounds(render(*sum)))
    return *std::move(sum);
  return atom(expr);
}

Expr render(const Linear &sum) {
  Expr out;
  for (const auto &[atom, coefficient] : sum.terms)
    if (coefficient > 0)
      out = out ? make(Op::Add, {out, term(atom, coefficient)}) : term(atom, coefficient);
  bool constantFirst = !out && sum.constant > 0;
  if (constantFirst)
    out = integer(sum.constant);
  for (const auto &[atom, coefficient] : sum.terms) {
    if (coefficient > 0)
      continue;
    if (out && coefficient != std::numeric_limits<int64_t>::min())
      out = make(Op::Subtract, {out, term(atom, -coefficient)});
    else if (out)
      out = make(Op::Add, {out, term(atom, coefficient)});
    else
      out = coefficient == -1 ? make(Op::Negate, {atom}) : term(atom, coefficient);
  }
  if (!out)
    return integer(sum.constant);
  if (constantFirst || sum.constant == 0)
    return out;
  if (sum.constant > 0 || sum.constant == std::numeric_limits<int64_t>::min())
    return make(Op::Add, {out, integer(sum.constant)});
  return make(Op::Subtract, {out, integer(-sum.constant)});
}

WideBounds boundsOf(const Linear &sum) {
  // k < n: as much of the one as there is of the other, with the opposite sign, is k - n <= -1.
  int64_t perKey = 0, perKeys = 0;
  for (const auto &[atom, coefficient] : sum.terms) {
    if (atom->op == Op::Key)
      perKey = coefficient;
    if (atom->op == Op::Keys)
      perKeys = coefficient;
  }
  Wide shared = 0; // so many (k - n), signed
  if (perKey > 0 && perKeys < 0)
    shared = std::min<Wide>(perKey, -Wide(perKeys));
  if (perKey < 0 && perKeys > 0)
    shared = -std::min<Wide>(-Wide(perKey), perKeys);
  constexpr Wide kFar = (Wide(1) << 31) - 1; // n - k <= 2^31 - 1
  WideBounds result{sum.constant, sum.constant};
  result.low += shared > 0 ? -shared * kFar : -shared;
  result.high += shared > 0 ? -shared : -shared * kFar;
  for (const auto &[atom, coefficient] : sum.terms) {
    Wide factor = coefficient;
    if (atom->op == Op::Key)
      factor -= shared;
    if (atom->op == Op::Keys)
      factor += shared;
    std::optional<Bounds> range = bounds(atom);
    constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
    Bounds reach = range.value_or(Bounds{-kAll - 1, kAll});
    result.low += factor * (factor > 0 ? reach.low : reach.high);
    result.high += factor * (factor > 0 ? reach.high : reach.low);
  }
  return result;
}

} // namespace sparsec
