// The many-points form of evaluate(): postfix steps over a small stack, one key or 64 keys wide.
#include "patterns/Evaluate.h"

#include <algorithm>
#include <array>
#include <bit>

namespace sparsec {

Evaluator::Evaluator(const Expr &predicate, int64_t h, const Sizes &sizes) : predicate(predicate) {
  assert(isPredicate(predicate->op));
  stackNeeded = compile(predicate, h, sizes);
}

int Evaluator::compile(const Expr &expr, int64_t h, const Sizes &sizes) {
  if (expr->op == Op::Query || expr->op == Op::Key) {
    steps.push_back({expr->op, 0});
    return 1;
  }
  size_t begin = steps.size();
  int needed = 1;
  bool constant = true;
  for (size_t i = 0; i < expr->operands.size(); ++i) {
    size_t operandBegin = steps.size();
    needed = std::max(needed, static_cast<int>(i) + compile(expr->operands[i], h, sizes));
    constant = constant && steps.size() == operandBegin + 1 && steps.back().op == Op::Integer;
  }
  bool byNumber = (expr->op == Op::FloorDivide || expr->op == Op::Modulo) &&
                  steps.back().op == Op::Integer && steps.back().value > 0;
  if (!constant && byNumber) { // the divisor goes into the step
    steps.back() = {expr->op, steps.back().value};
    return needed;
  }
  if (!constant) {
    steps.push_back({expr->op, 0, expr->list.get()});
    return needed;
  }
  // Every operand is a number now, so this node is one too.
  std::vector<Expr> operands;
  for (size_t i = begin; i < steps.size(); ++i)
    operands.push_back(isPredicate(expr->operands[i - begin]->op)
                           ? leaf(steps[i].value ? Op::True : Op::False)
                           : integer(steps[i].value));
  steps.resize(begin);
  int64_t value = 0;
  if (isPredicate(expr->op))
    value = evaluate(rebuilt(expr, operands), {.h = h}, sizes);
  else if (expr->op == Op::Integer)
    value = expr->value;
  else
    value = evaluateInteger(rebuilt(expr, operands), {.h = h}, sizes);
  steps.push_back({Op::Integer, value});
  return 1;
}

namespace {

/// `Width` points in lock step: the same steps, lane by lane.
template <int Width>
struct Machine {
  using Lanes = std::array<int64_t, Width>;

  template <class Function>
  static void unary(Lanes *stack, int &top, Function function) {
    for (int64_t &x : stack[top - 1])
      x = function(x);
  }
  template <class Function>
  static void binary(Lanes *stack, int &top, Function function) {
    Lanes &b = stack[--top];
    Lanes &a = stack[top - 1];
    for (int i = 0; i < Width; ++i)
      a[i] = function(a[i], b[i]);
  }

  /// Floor quotients or remainders by one divisor: by shift or mask, else by an estimate in double
  /// that is corrected, else by division.
  template <bool Remainder>
  static void divide(Lanes &a, int64_t divisor) {
    constexpr int64_t kExact = int64_t(1) << 50;
    if (std::has_single_bit(static_cast<uint64_t>(divisor))) {
      int shift = std::countr_zero(static_cast<uint64_t>(divisor));
      for (int64_t &x : a)
        x = Remainder ? x & (divisor - 1) : x >> shift;
      return;
    }
    double inverse = 1.0 / static_cast<double>(divisor);
    for (int64_t &x : a) {
      if (x <= -kExact || x >= kExact || divisor >= kExact) {
        x = Remainder ? floorModulo(x, divisor) : floorDivide(x, divisor);
        continue;
      }
      // Off by at most one, and one more for rounding towards 0.
      auto quotient = static_cast<int64_t>(static_cast<double>(x) * inverse);
      int64_t rest = x - quotient * divisor;
      for (int i = 0; i < 2; ++i) {
        int64_t low = rest < 0;
        quotient -= low;
        rest += low * divisor;
      }
      int64_t high = rest >= divisor;
      x = Remainder ? rest - high * divisor : quotient + high;
    }
  }

  /// One step; `top` is the index one past the top of the stack. Long: a case for each operator.
  static void step(Op op, int64_t value, const IntegerList *list, int64_t q, const Lanes &k,
                   Lanes *stack, int &top) {
    using I = int64_t;
    switch (op) {
    case Op::Integer:
      return stack[top++].fill(value);
    case Op::Query:
      return stack[top++].fill(q);
    case Op::Key:
      stack[top++] = k;
      return;
    case Op::Negate:
      return unary(stack, top, [](I a) { return -a; });
    case Op::Abs:
      return unary(stack, top, [](I a) { return a < 0 ? -a : a; });
    case Op::Not:
      return unary(stack, top, [](I a) { return I(a == 0); });
    case Op::Add:
      return binary(stack, top, [](I a, I b) { return a + b; });
    case Op::Subtract:
      return binary(stack, top, [](I a, I b) { return a - b; });
    case Op::Multiply:
      return binary(stack, top, [](I a, I b) { return a * b; });
    case Op::FloorDivide:
      if (value > 0)
        return divide<false>(stack[top - 1], value);
      return binary(stack, top, [](I a, I b) { return floorDivide(a, b); });
    case Op::Modulo:
      if (value > 0)
        return divide<true>(stack[top - 1], value);
      return binary(stack, top, [](I a, I b) { return floorModulo(a, b); });
    case Op::Min:
      return binary(stack, top, [](I a, I b) { return std::min(a, b); });
    case Op::Max:
      return binary(stack, top, [](I a, I b) { return std::max(a, b); });
    case Op::Less:
      return binary(stack, top, [](I a, I b) { return I(a < b); });
    case Op::LessEqual:
      return binary(stack, top, [](I a, I b) { return I(a <= b); });
    case Op::Greater:
      return binary(stack, top, [](I a, I b) { return I(a > b); });
    case Op::GreaterEqual:
      return binary(stack, top, [](I a, I b) { return I(a >= b); });
    case Op::Equal:
      return binary(stack, top, [](I a, I b) { return I(a == b); });
    case Op::NotEqual:
      return binary(stack, top, [](I a, I b) { return I(a != b); });
    case Op::And:
      return binary(stack, top, [](I a, I b) { return a & b; });
    case Op::Or:
      return binary(stack, top, [](I a, I b) { return a | b; });
    case Op::Hash: {
      top -= 2;
      for (int i = 0; i < Width; ++i)
        stack[top - 1][i] = hash32(stack[top - 1][i], stack[top][i], stack[top + 1][i]);
      return;
    }
    case Op::Log2:
      return unary(stack, top, floorLog2);
    case Op::Segment:
      return unary(stack, top, [list](I a) { return list->countUpTo(a); });
    case Op::Drawn: {
      top -= 3;
      Lanes *x = stack + top - 1;
      for (int i = 0; i < Width; ++i)
        x[0][i] = drawnValue(x[0][i], x[1][i], x[2][i], x[3][i]);
      return;
    }
    case Op::Select: {
      top -= 2;
      Lanes *x = stack + top - 1;
      for (int i = 0; i < Width; ++i)
        x[0][i] = x[0][i] ? x[1][i] : x[2][i];
      return;
    }
    case Op::Head:
    case Op::Keys:
    case Op::Queries:
    case Op::True:
    case Op::False:
      break; // bound when the steps were made
    }
    assert(false && "a bound leaf is left");
  }
};

/// A stack of `Width` wide slots: on the machine's stack when it is small.
template <int Width, int Inline>
struct Stack {
  explicit Stack(int needed) {
    few[0].fill(0);
    if (needed > Inline)
      many.resize(needed);
  }
  std::array<int64_t, Width> *slots() { return many.empty() ? few.data() : many.data(); }

  std::array<std::array<int64_t, Width>, Inline> few;
  std::vector<std::array<int64_t, Width>> many;
};

} // namespace

bool Evaluator::at(int64_t q, int64_t k) const {
  Stack<1, 32> stack(stackNeeded);
  int top = 0;
  for (const Step &step : steps)
    Machine<1>::step(step.op, step.value, step.list, q, {k}, stack.slots(), top);
  return (*stack.slots())[0] != 0;
}

uint64_t Evaluator::row(int64_t q, int64_t first, int64_t step, int count) const {
  assert(count >= 0 && count <= 64);
  // Lanes past `count` repeat the last key, so that no lane leaves the range parse accepted.
  std::array<int64_t, 64> keys;
  for (int i = 0; i < 64; ++i)
    keys[i] = first + step * std::max(0, std::min(i, count - 1));
  Stack<64, 16> stack(stackNeeded);
  int top = 0;
  for (const Step &s : steps)
    Machine<64>::step(s.op, s.value, s.list, q, keys, stack.slots(), top);
  uint64_t bits = 0;
  for (int i = 0; i < count; ++i)
    bits |= uint64_t((*stack.slots())[i] != 0) << i;
  return bits;
}

} // namespace sparsec
