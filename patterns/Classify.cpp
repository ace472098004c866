#include "patterns/Classify.h"

#include "patterns/Strided.h"

#include <array>

namespace sparsec {

namespace {

using strided::Domain;
using strided::Value;
__extension__ typedef __int128 Wide;

/// Below this, no sum or product that Domain makes on the way leaves 64 bits.
constexpr int64_t kNarrow = int64_t(1) << 59;

/// True when some value below reaches kNarrow; `reach` receives the bounds of an integer node.
bool reachesFar(const Expr &expr, Bounds &reach) {
  Bounds operands[kMostOperands];
  bool far = false;
  for (size_t i = 0; i < expr->operands.size(); ++i)
    far = reachesFar(expr->operands[i], operands[i]) || far;
  if (far || isPredicate(expr->op))
    return far;
  BoundsOutcome outcome =
      boundsOf(expr->op, expr->value, expr->list.get(), operands, expr->operands.size());
  reach = outcome.bounds;
  return outcome.kind != BoundsOutcome::Bounded || reach.low < -kNarrow || reach.high > kNarrow;
}

Coverage complement(Coverage a) {
  switch (a) {
  case Coverage::Empty:
    return Coverage::Full;
  case Coverage::Full:
    return Coverage::Empty;
  case Coverage::Mixed:
    return Coverage::Mixed;
  }
  return Coverage::Mixed;
}

Coverage both(Coverage a, Coverage b) {
  if (a == Coverage::Empty || b == Coverage::Empty)
    return Coverage::Empty;
  return a == Coverage::Full ? b : b == Coverage::Full ? a : Coverage::Mixed;
}

Coverage either(Coverage a, Coverage b) {
  return complement(both(complement(a), complement(b)));
}

/// A number or a truth, as the operator before it left it.
template <class Int>
struct Slot {
  Value<Int> number;
  Coverage truth;
};

/// Runs one step on a stack; `top` is the index one past its top. Long: a case for each operator.
template <class Int>
void run(Op op, int64_t value, const IntegerList *list, const Domain<Int> &domain, Slot<Int> *stack,
         int &top) {
  Slot<Int> &a = top >= 2 ? stack[top - 2] : stack[0];
  Slot<Int> &b = top >= 1 ? stack[top - 1] : stack[0]; // the top: also of operators of one operand
  auto pushNumber = [&](const Value<Int> &v) { stack[top++].number = v; };
  auto pushTruth = [&](Coverage truth) { stack[top++].truth = truth; };
  auto number2 = [&](const Value<Int> &v) { a.number = v, --top; };
  auto truth2 = [&](Coverage truth) { a.truth = truth, --top; };
  switch (op) {
  case Op::Integer:
    return pushNumber(domain.number(value));
  case Op::Query:
    return pushNumber(domain.query());
  case Op::Key:
    return pushNumber(domain.key());
  case Op::True:
    return pushTruth(Coverage::Full);
  case Op::False:
    return pushTruth(Coverage::Empty);
  case Op::Negate:
    b.number = domain.negate(b.number);
    return;
  case Op::Abs:
    b.number = domain.absolute(b.number);
    return;
  case Op::Not:
    b.truth = complement(b.truth);
    return;
  case Op::Add:
    return number2(domain.add(a.number, b.number));
  case Op::Subtract:
    return number2(domain.subtract(a.number, b.number));
  case Op::Multiply:
    return number2(domain.multiply(a.number, b.number));
  case Op::FloorDivide:
    return number2(domain.floorDivide(a.number, b.number));
  case Op::Modulo:
    return number2(domain.modulo(a.number, b.number));
  case Op::Min:
    return number2(domain.minimum(a.number, b.number));
  case Op::Max:
    return number2(domain.maximum(a.number, b.number));
  case Op::Hash:
    stack[top - 3].number = domain.hash(stack[top - 3].number, a.number, b.number);
    top -= 2;
    return;
  case Op::Log2:
    b.number = domain.log2(b.number);
    return;
  case Op::Segment:
    b.number = domain.segment(b.number, *list);
    return;
  case Op::Drawn: {
    top -= 3;
    Slot<Int> *x = stack + top - 1;
    x[0].number = domain.drawn(x[0].number, x[1].number, x[2].number, x[3].number);
    return;
  }
  case Op::Select: {
    top -= 2;
    Slot<Int> *x = stack + top - 1;
    bool first = x[0].truth == Coverage::Full, second = x[0].truth == Coverage::Empty;
    x[0].number = first    ? x[1].number
                  : second ? x[2].number
                           : domain.either(x[1].number, x[2].number);
    return;
  }
  case Op::Less:
    return truth2(domain.less(a.number, b.number));
  case Op::LessEqual:
    return truth2(domain.lessEqual(a.number, b.number));
  case Op::Greater:
    return truth2(domain.less(b.number, a.number));
  case Op::GreaterEqual:
    return truth2(domain.lessEqual(b.number, a.number));
  case Op::Equal:
    return truth2(domain.same(a.number, b.number));
  case Op::NotEqual:
    return truth2(complement(domain.same(a.number, b.number)));
  case Op::And:
    return truth2(both(a.truth, b.truth));
  case Op::Or:
    return truth2(either(a.truth, b.truth));
  case Op::Head:
  case Op::Keys:
  case Op::Queries:
    break; // bound when the steps were made
  }
  assert(false && "a bound leaf is left");
}

} // namespace

bool isNarrow(const Expr &predicate) {
  Bounds unused;
  return !reachesFar(predicate, unused);
}

Classifier::Classifier(const Expr &predicate, int64_t h, const Sizes &sizes)
    : predicate(predicate) {
  assert(isPredicate(predicate->op));
  wide = !isNarrow(predicate);
  stackNeeded = compile(predicate, h, sizes);
}

int Classifier::compile(const Expr &expr, int64_t h, const Sizes &sizes) {
  int needed = 1;
  for (size_t i = 0; i < expr->operands.size(); ++i)
    needed = std::max(needed, static_cast<int>(i) + compile(expr->operands[i], h, sizes));
  if (expr->op == Op::Head)
    steps.push_back({Op::Integer, h});
  else if (expr->op == Op::Keys)
    steps.push_back({Op::Integer, sizes.nk});
  else if (expr->op == Op::Queries)
    steps.push_back({Op::Integer, sizes.nq});
  else
    steps.push_back({expr->op, expr->value, expr->list.get()});
  return needed;
}

constexpr int kInlineStack = 16;

template <class Int>
Coverage Classifier::over(const Rectangle &rectangle) const {
  Domain<Int> domain(rectangle);
  std::array<Slot<Int>, kInlineStack> few;
  std::vector<Slot<Int>> many(stackNeeded > kInlineStack ? stackNeeded : 0);
  Slot<Int> *stack = many.empty() ? few.data() : many.data();
  int top = 0;
  for (const Step &step : steps)
    run<Int>(step.op, step.value, step.list, domain, stack, top);
  assert(top == 1);
  return stack[0].truth;
}

Coverage Classifier::operator()(const Rectangle &rectangle) const {
  assert(rectangle.q.count >= 1 && rectangle.k.count >= 1);
  return wide ? over<Wide>(rectangle) : over<int64_t>(rectangle);
}

Coverage classify(const Expr &predicate, const Rectangle &rectangle, int64_t h,
                  const Sizes &sizes) {
  return Classifier(predicate, h, sizes)(rectangle);
}

} // namespace sparsec
