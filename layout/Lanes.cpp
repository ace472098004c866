// LaneProgram: postfix steps over a small stack, kLanes cells in lock step.
#include "layout/LaneArithmetic.h"

#include <algorithm>

// The same loops for what a machine has; sanitizers start too late for such a choice.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SPARSEC_SANITIZED
#endif
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&      \
    !defined(SPARSEC_SANITIZED)
#define SPARSEC_LANES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SPARSEC_LANES
#endif

namespace sparsec {

using namespace lanes;

struct LaneProgram::Stack {
  explicit Stack(int needed) { many.resize(needed > kInline ? needed : 0); }
  Slot *slots() { return many.empty() ? few.data() : many.data(); }

  static constexpr int kInline = 8;
  std::array<Slot, kInline> few;
  std::vector<Slot> many;
};

LaneProgram::LaneProgram(const Expr &expr, const SourceOf &sourceOf) {
  stackNeeded = compile(expr, sourceOf);
}

/// Bits of the axes that are below: 1 queries, 2 keys.
static int axesOf(const Expr &expr) {
  return (mentions(expr, Op::Query) ? 1 : 0) | (mentions(expr, Op::Key) ? 2 : 0);
}

int LaneProgram::compile(const Expr &expr, const SourceOf &sourceOf) {
  if (std::optional<int> source = sourceOf(expr)) {
    steps.push_back({isPredicate(expr->op) ? Op::True : Op::Integer, *source, 0, nullptr});
    return 1;
  }
  int needed = 1;
  for (size_t i = 0; i < expr->operands.size(); ++i)
    needed = std::max(needed, static_cast<int>(i) + compile(expr->operands[i], sourceOf));
  Step step{expr->op, -1, expr->value, expr->list};
  bool divides = expr->op == Op::FloorDivide || expr->op == Op::Modulo;
  if (divides && steps.back().op == Op::Integer && steps.back().source < 0 &&
      steps.back().value > 0) { // the divisor goes into the step
    step.value = steps.back().value;
    steps.pop_back();
  } else if (expr->op == Op::And || expr->op == Op::Or) {
    step.value = (axesOf(expr->operands[0]) & axesOf(expr->operands[1])) == 0;
  }
  bool opposite = step.op == Op::Greater || step.op == Op::GreaterEqual || step.op == Op::NotEqual;
  if (opposite) // a > b is not a <= b
    step.op = step.op == Op::Greater        ? Op::LessEqual
              : step.op == Op::GreaterEqual ? Op::Less
                                            : Op::Equal;
  steps.push_back(step);
  if (opposite)
    steps.push_back({Op::Not, -1, 0, nullptr});
  return needed;
}

/// Long: a case for each operator of the language.
SPARSEC_LANES void LaneProgram::runAll(std::span<const Cells> sources, int count,
                                       Stack &room) const {
  using I = int64_t;
  Slot *stack = room.slots();
  int top = 0;
  for (const Step &step : steps) {
    if (step.source >= 0) {
      load(sources[step.source], step.op == Op::True, count, stack[top++]);
      continue;
    }
    Slot &a = stack[std::max(top - 2, 0)], &b = stack[std::max(top - 1, 0)];
    switch (step.op) {
    case Op::Integer:
      stack[top].points = true;
      stack[top++].low.fill(step.value);
      break;
    case Op::True:
    case Op::False:
      stack[top++].truths.fill(step.op == Op::True ? truths::kTrue : truths::kFalse);
      break;
    case Op::Negate:
      negate(b);
      break;
    case Op::Abs:
      absolute(b);
      break;
    case Op::Not:
      for (Truths &t : b.truths)
        t = opposite(t);
      break;
    case Op::Add:
      monotone<false>(a, b, [](I x, I y) { return x + y; });
      --top;
      break;
    case Op::Subtract:
      monotone<true>(a, b, [](I x, I y) { return x - y; });
      --top;
      break;
    case Op::Multiply:
      corners(a, b, [](I x, I y) { return x * y; });
      --top;
      break;
    case Op::FloorDivide:
      if (step.value > 0)
        divideBy(b, step.value);
      else
        divide<false>(a, b), --top;
      break;
    case Op::Modulo:
      if (step.value > 0)
        remainderBy(b, step.value);
      else
        divide<true>(a, b), --top;
      break;
    case Op::Min:
      monotone<false>(a, b, [](I x, I y) { return std::min(x, y); });
      --top;
      break;
    case Op::Max:
      monotone<false>(a, b, [](I x, I y) { return std::max(x, y); });
      --top;
      break;
    case Op::Hash:
      hash(stack[top - 3], a, b);
      top -= 2;
      break;
    case Op::Log2:
      rising(b, floorLog2);
      break;
    case Op::Segment:
      rising(b, [&](I x) { return step.list->countUpTo(x); });
      break;
    case Op::Drawn:
      top -= 3;
      drawn(stack + top - 1);
      break;
    case Op::Select:
      top -= 2;
      choose(stack + top - 1);
      break;
    case Op::Less:
      compare(a, b, [](I x, I y) { return x < y; });
      --top;
      break;
    case Op::LessEqual:
      compare(a, b, [](I x, I y) { return x <= y; });
      --top;
      break;
    case Op::Equal:
      equal(a, b);
      --top;
      break;
    case Op::And:
    case Op::Or:
      join(step.op, a, b, step.value != 0);
      --top;
      break;
    case Op::Query:
    case Op::Key:
    case Op::Head:
    case Op::Keys:
    case Op::Queries:
    case Op::Greater:
    case Op::GreaterEqual:
    case Op::NotEqual:
      assert(false && "no leaf that is no source, and the opposites of others");
      break;
    }
  }
}

void LaneProgram::run(std::span<const Cells> sources, int count, Truths *result) const {
  Stack stack(stackNeeded);
  runAll(sources, count, stack);
  std::copy_n(stack.slots()->truths.begin(), count, result);
}

bool LaneProgram::run(std::span<const Cells> sources, int count, int64_t *low,
                      int64_t *high) const {
  Stack stack(stackNeeded);
  runAll(sources, count, stack);
  const Slot &slot = *stack.slots();
  std::copy_n(slot.low.begin(), count, low);
  if (!slot.points)
    std::copy_n(slot.high.begin(), count, high);
  return slot.points;
}

} // namespace sparsec
