#include "dialect/predicate/Separate.h"

#include <cassert>
#include <cstdlib>

namespace sparsec {

Positions PredicateFacts::positions(const Expr &expr) {
  if (auto known = positionsOf.find(expr); known != positionsOf.end())
    return known->second;
  uint8_t result = expr->op == Op::Query ? OnQuery : expr->op == Op::Key ? OnKey : Neither;
  for (const Expr &operand : expr->operands)
    result |= positions(operand);
  return positionsOf[expr] = static_cast<Positions>(result);
}

std::optional<Bounds> PredicateFacts::bounds(const Expr &expr) {
  if (auto known = boundsOf.find(expr); known != boundsOf.end())
    return known->second;
  std::vector<Bounds> operands;
  bool bounded = true;
  for (const Expr &operand : expr->operands) {
    if (isPredicate(operand->op)) { // of a Select
      operands.emplace_back();
      continue;
    }
    std::optional<Bounds> one = bounds(operand);
    bounded = bounded && one;
    operands.push_back(one.value_or(Bounds{}));
  }
  std::optional<Bounds> result;
  if (bounded) {
    BoundsOutcome outcome = sparsec::boundsOf(expr->op, expr->value, expr->list.get(),
                                              operands.data(), operands.size());
    if (outcome.kind == BoundsOutcome::Bounded)
      result = outcome.bounds;
  }
  return boundsOf[expr] = result;
}

namespace {

/// A sum of multiples of expressions that are not sums themselves, and a constant.
struct Sum {
  struct Term {
    Expr atom;
    int64_t factor;
  };
  std::vector<Term> terms;
  int64_t constant = 0;
  bool overflow = false; ///< a factor or the constant left 64 bits: the sum means nothing

  void addConstant(int64_t factor, int64_t value) {
    int64_t product = 0;
    overflow |= __builtin_mul_overflow(factor, value, &product);
    overflow |= __builtin_add_overflow(constant, product, &constant);
  }
  void addTerm(int64_t factor, const Expr &atom) {
    for (Term &term : terms)
      if (equal(term.atom, atom)) {
        overflow |= __builtin_add_overflow(term.factor, factor, &term.factor);
        return;
      }
    terms.push_back({atom, factor});
  }
  void add(int64_t factor, const Sum &other) {
    for (const Term &term : other.terms) {
      int64_t product = 0;
      overflow |= __builtin_mul_overflow(factor, term.factor, &product);
      addTerm(product, term.atom);
    }
    addConstant(factor, other.constant);
    overflow |= other.overflow;
  }
};

/// A sum cut in two: what depends on queries (with constants, lengths and the head), what on keys.
struct Parts {
  Sum query, key;
};

/// Sums of more terms than this stay as they are: like terms are found by looking at all of them.
constexpr size_t kMostTerms = 16;

/// The comparison of exchanged operands.
Op mirrored(Op op) {
  if (op == Op::Less)
    return Op::Greater;
  if (op == Op::Greater)
    return Op::Less;
  if (op == Op::LessEqual)
    return Op::GreaterEqual;
  if (op == Op::GreaterEqual)
    return Op::LessEqual;
  return op;
}

/// The comparison that is true where this one is false.
Op complement(Op op) {
  if (op == Op::Less)
    return Op::GreaterEqual;
  if (op == Op::Greater)
    return Op::LessEqual;
  if (op == Op::LessEqual)
    return Op::Greater;
  if (op == Op::GreaterEqual)
    return Op::Less;
  return op == Op::Equal ? Op::NotEqual : Op::Equal;
}

class Separator {
public:
  explicit Separator(PredicateFacts &facts) : facts(facts) {}

  /// The predicate, or its negation.
  Expr predicate(const Expr &expr, bool negated);

private:
  Expr compare(Op op, const Expr &left, const Expr &right);
  Expr compareToZero(Op op, const Sum &sum);
  Expr compareAbs(Op op, const Sum &sum);
  Expr compareModulo(Op op, const Sum &sum);
  Expr decided(Op op, Expr left, Expr right);
  Expr connect(Op op, Expr left, Expr right);

  Expr integerOf(const Expr &expr);
  Expr divideApart(const Expr &expr);
  void collect(const Expr &expr, int64_t factor, Sum &sum);
  std::optional<Parts> cut(const Sum &sum);
  Expr build(const Sum &sum);
  bool bounded(const Expr &expr) { return expr && facts.bounds(expr).has_value(); }

  PredicateFacts &facts;
};

//===-- Sums ----------------------------------------------------------------------------------===//

void Separator::collect(const Expr &expr, int64_t factor, Sum &sum) {
  if (sum.terms.size() > kMostTerms || sum.overflow) {
    sum.overflow = true;
    return;
  }
  int64_t negative = 0;
  switch (expr->op) {
  case Op::Integer:
    return sum.addConstant(factor, expr->value);
  case Op::Add:
    collect(expr->operands[0], factor, sum);
    return collect(expr->operands[1], factor, sum);
  case Op::Subtract:
  case Op::Negate:
    sum.overflow |= __builtin_sub_overflow(0, factor, &negative);
    if (expr->op == Op::Subtract)
      collect(expr->operands[0], factor, sum);
    return collect(expr->operands.back(), negative, sum);
  case Op::Multiply:
    for (int side : {0, 1})
      if (const Expr &by = expr->operands[side]; by->op == Op::Integer) {
        int64_t product = 0;
        sum.overflow |= __builtin_mul_overflow(factor, by->value, &product);
        return collect(expr->operands[1 - side], product, sum);
      }
    return sum.addTerm(factor, expr);
  case Op::Query:
  case Op::Key:
  case Op::Head:
  case Op::Keys:
  case Op::Queries:
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
    return sum.addTerm(factor, expr);
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
  assert(false && "a predicate where an integer should be");
}

/// Nothing when a term depends on queries and keys at once.
std::optional<Parts> Separator::cut(const Sum &sum) {
  if (sum.overflow)
    return {};
  Parts parts;
  for (const Sum::Term &term : sum.terms) {
    Positions on = facts.positions(term.atom);
    if (on == OnBoth && term.factor != 0)
      return {};
    (on == OnKey ? parts.key : parts.query).addTerm(term.factor, term.atom);
  }
  parts.query.constant = sum.constant;
  return parts;
}

/// The sum as an expression; null when a factor cannot be written.
Expr Separator::build(const Sum &sum) {
  if (sum.overflow || sum.constant == INT64_MIN)
    return nullptr;
  Expr result;
  auto append = [&](int64_t factor, const Expr &magnitude) {
    if (!result)
      result = factor > 0 ? magnitude : make(Op::Negate, {magnitude});
    else
      result = make(factor > 0 ? Op::Add : Op::Subtract, {result, magnitude});
  };
  for (bool positive : {true, false}) // what is added first: a - b rather than -b + a
    for (const Sum::Term &term : sum.terms) {
      if (term.factor == INT64_MIN)
        return nullptr;
      if (term.factor == 0 || (term.factor > 0) != positive)
        continue;
      int64_t size = std::abs(term.factor);
      append(term.factor, size == 1 ? term.atom : make(Op::Multiply, {integer(size), term.atom}));
    }
  if (!result)
    return integer(sum.constant);
  if (sum.constant != 0)
    append(sum.constant, integer(std::abs(sum.constant)));
  return result;
}

//===-- Integers ------------------------------------------------------------------------------===//

/// X // c and X % c of X = Q - K, by their remainders q = Q % c and k = K % c:
/// X % c = (q - k) % c, and X // c = Q // c - K // c + (q - k) // c, where -c < q - k < c.
Expr Separator::divideApart(const Expr &expr) {
  const Expr &by = expr->operands[1];
  if (facts.positions(expr) != OnBoth || by->op != Op::Integer || by->value <= 0)
    return expr;
  Sum sum;
  collect(expr->operands[0], 1, sum);
  std::optional<Parts> parts = cut(sum);
  if (!parts || parts->key.terms.empty())
    return expr;
  Sum negated;
  negated.add(-1, parts->key);
  Expr query = build(parts->query), key = build(negated);
  if (!bounded(query) || !bounded(key))
    return expr;
  Expr difference =
      make(Op::Subtract, {make(Op::Modulo, {query, by}), make(Op::Modulo, {key, by})});
  if (expr->op == Op::Modulo)
    return make(Op::Modulo, {difference, by});
  Expr quotients =
      make(Op::Subtract, {make(Op::FloorDivide, {query, by}), make(Op::FloorDivide, {key, by})});
  return make(Op::Add, {quotients, make(Op::FloorDivide, {difference, by})});
}

Expr Separator::integerOf(const Expr &expr) {
  if (facts.positions(expr) != OnBoth)
    return expr;
  std::vector<Expr> operands;
  bool changed = false;
  for (const Expr &operand : expr->operands) {
    operands.push_back(isPredicate(operand->op) ? predicate(operand, /*negated=*/false)
                                                : integerOf(operand));
    changed |= operands.back() != operand;
  }
  Expr result = changed ? rebuilt(expr, operands) : expr;
  if (expr->op == Op::Modulo || expr->op == Op::FloorDivide)
    result = divideApart(result);
  return bounded(result) ? result : expr;
}

//===-- Comparisons ---------------------------------------------------------------------------===//

/// The comparison, or its truth where bounds decide it.
Expr Separator::decided(Op op, Expr left, Expr right) {
  std::optional<Bounds> a = facts.bounds(left), b = facts.bounds(right);
  if (!a || !b)
    return make(op, {left, right});
  auto answer = [&](bool holds, bool fails) {
    return holds ? make(Op::True, {}) : fails ? make(Op::False, {}) : make(op, {left, right});
  };
  bool apart = a->high < b->low || b->high < a->low;
  bool same = a->low == a->high && b->low == b->high && a->low == b->low;
  if (op == Op::Less)
    return answer(a->high < b->low, a->low >= b->high);
  if (op == Op::LessEqual)
    return answer(a->high <= b->low, a->low > b->high);
  if (op == Op::Greater)
    return answer(a->low > b->high, a->high <= b->low);
  if (op == Op::GreaterEqual)
    return answer(a->low >= b->high, a->high < b->low);
  return op == Op::Equal ? answer(same, apart) : answer(apart, same);
}

/// |X| against C, where sum = +-(|X| - C): X and -X against C.
Expr Separator::compareAbs(Op op, const Sum &sum) {
  for (const Sum::Term &term : sum.terms) {
    bool lone = term.factor == 1 || term.factor == -1;
    if (!lone || term.atom->op != Op::Abs || facts.positions(term.atom) != OnBoth)
      continue;
    Op against = term.factor == 1 ? op : mirrored(op);
    bool inside = against == Op::Less || against == Op::LessEqual;
    if (!inside && against != Op::Greater && against != Op::GreaterEqual)
      return nullptr;
    Sum rest, inner; // rest = -C
    rest.add(term.factor, sum);
    rest.addTerm(-1, term.atom);
    collect(term.atom->operands[0], 1, inner);
    Sum above = rest, below = rest;
    above.add(1, inner);
    below.add(-1, inner);
    Expr first = compareToZero(against, above), second = compareToZero(against, below);
    return first && second ? connect(inside ? Op::And : Op::Or, first, second) : nullptr;
  }
  return nullptr;
}

/// X % c against t for equality, where sum = +-(X % c - t) and X = Q - K: (Q - t) % c against K %
/// c.
Expr Separator::compareModulo(Op op, const Sum &sum) {
  if ((op != Op::Equal && op != Op::NotEqual) || sum.terms.size() != 1 || sum.overflow)
    return nullptr;
  const Sum::Term &term = sum.terms[0];
  if ((term.factor != 1 && term.factor != -1) || term.atom->op != Op::Modulo ||
      term.atom->operands[1]->op != Op::Integer || sum.constant == INT64_MIN)
    return nullptr;
  int64_t by = term.atom->operands[1]->value, target = -term.factor * sum.constant;
  if (by <= 0 || target < 0 || target >= by)
    return nullptr;
  Sum inner;
  collect(term.atom->operands[0], 1, inner);
  inner.addConstant(-1, target);
  std::optional<Parts> parts = cut(inner);
  if (!parts)
    return nullptr;
  Sum negated;
  negated.add(-1, parts->key);
  Expr query = build(parts->query), key = build(negated);
  if (!bounded(query) || !bounded(key))
    return nullptr;
  return decided(op, make(Op::Modulo, {query, integer(by)}), make(Op::Modulo, {key, integer(by)}));
}

/// The sum against 0, its queries on one side and its keys on the other. Null when that cannot be.
Expr Separator::compareToZero(Op op, const Sum &sum) {
  std::optional<Parts> parts = cut(sum);
  if (!parts) {
    if (Expr result = compareAbs(op, sum))
      return result;
    return compareModulo(op, sum);
  }
  // Q + K against 0 is Q against -K, or -Q against K: the one that leaves keys as they are.
  bool flip = !parts->key.terms.empty() && parts->key.terms[0].factor > 0;
  Sum query, key;
  query.add(flip ? -1 : 1, parts->query);
  key.add(flip ? 1 : -1, parts->key);
  Expr left = build(query), right = build(key);
  if (!bounded(left) || !bounded(right))
    return nullptr;
  return decided(flip ? mirrored(op) : op, left, right);
}

Expr Separator::compare(Op op, const Expr &left, const Expr &right) {
  if ((facts.positions(left) | facts.positions(right)) == OnBoth) {
    Sum sum;
    collect(left, 1, sum);
    collect(right, -1, sum);
    if (!sum.overflow)
      if (Expr result = compareToZero(op, sum))
        return result;
  }
  return decided(op, integerOf(left), integerOf(right));
}

//===-- Predicates ----------------------------------------------------------------------------===//

Expr Separator::connect(Op op, Expr left, Expr right) {
  Op neutral = op == Op::And ? Op::True : Op::False,
     absorbing = op == Op::And ? Op::False : Op::True;
  if (left->op == neutral || right->op == absorbing)
    return right;
  if (right->op == neutral || left->op == absorbing)
    return left;
  return make(op, {left, right});
}

Expr Separator::predicate(const Expr &expr, bool negated) {
  const std::vector<Expr> &operands = expr->operands;
  if (expr->op == Op::True || expr->op == Op::False)
    return make((expr->op == Op::True) != negated ? Op::True : Op::False, {});
  if (expr->op == Op::Not)
    return predicate(operands[0], !negated);
  if (expr->op == Op::And || expr->op == Op::Or) {
    Op op = (expr->op == Op::And) != negated ? Op::And : Op::Or;
    Expr left = predicate(operands[0], negated);
    return connect(op, left, predicate(operands[1], negated));
  }
  return compare(negated ? complement(expr->op) : expr->op, operands[0], operands[1]);
}

} // namespace

Expr separate(const Expr &predicate, PredicateFacts &facts) {
  return Separator(facts).predicate(predicate, /*negated=*/false);
}

} // namespace sparsec
