// How far an integer expression reaches wherever a pattern has a meaning: plain intervals, reckoned
// in 128 bits so that leaving 64 is seen and not suffered.
#include "patterns/Classify.h"

#include <algorithm>
#include <limits>

namespace sparsec {

namespace {

__extension__ typedef __int128 Wide;

constexpr int64_t kPositions = int64_t(1) << 31;
constexpr int64_t kHeads = int64_t(1) << 20;

struct WideBounds {
  Wide low, high;
};

Wide floorDivideWide(Wide a, Wide b) {
  Wide quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

/// The least and the greatest of a function that is monotone in each of two operands.
template <class Function>
WideBounds corners(const Bounds &a, const Bounds &b, Function function) {
  Wide values[] = {function(a.low, b.low), function(a.low, b.high), function(a.high, b.low),
                   function(a.high, b.high)};
  return {*std::min_element(values, values + 4), *std::max_element(values, values + 4)};
}

WideBounds moduloBounds(const Bounds &a, const Bounds &m) {
  if (m.low > 0) {
    if (a.low >= 0 && a.high < m.low)
      return {a.low, a.high};
    return {0, a.low >= 0 ? std::min<Wide>(a.high, Wide(m.high) - 1) : Wide(m.high) - 1};
  }
  if (a.high <= 0 && a.low > m.high)
    return {a.low, a.high};
  return {a.high <= 0 ? std::max<Wide>(a.low, Wide(m.low) + 1) : Wide(m.low) + 1, 0};
}

} // namespace

/// Long: a case for each operator of the language.
BoundsOutcome boundsOf(Op op, int64_t literal, const IntegerList *list, const Bounds *operands,
                       size_t count) {
  assert(!isPredicate(op));
  const Bounds a = count > 0 ? operands[0] : Bounds{};
  const Bounds b = count > 1 ? operands[1] : Bounds{};
  WideBounds result{0, 0};
  switch (op) {
  case Op::Integer:
    result = {literal, literal};
    break;
  case Op::Query:
    result = {-(kPositions - 1), kPositions - 1};
    break;
  case Op::Key:
    result = {0, kPositions - 1};
    break;
  case Op::Head:
    result = {0, kHeads - 1};
    break;
  case Op::Keys:
  case Op::Queries:
    result = {1, kPositions - 1};
    break;
  case Op::Negate:
    result = {-Wide(a.high), -Wide(a.low)};
    break;
  case Op::Add:
    result = {Wide(a.low) + b.low, Wide(a.high) + b.high};
    break;
  case Op::Subtract:
    result = {Wide(a.low) - b.high, Wide(a.high) - b.low};
    break;
  case Op::Multiply:
    result = corners(a, b, [](Wide x, Wide y) { return x * y; });
    break;
  case Op::FloorDivide:
  case Op::Modulo:
    if (b.low <= 0 && b.high >= 0)
      return {BoundsOutcome::MayDivideByZero, {}};
    result = op == Op::Modulo ? moduloBounds(a, b) : corners(a, b, floorDivideWide);
    break;
  case Op::Min:
    result = {std::min(a.low, b.low), std::min(a.high, b.high)};
    break;
  case Op::Max:
    result = {std::max(a.low, b.low), std::max(a.high, b.high)};
    break;
  case Op::Abs:
    result = {std::max<Wide>({0, a.low, -Wide(a.high)}), std::max<Wide>(-Wide(a.low), a.high)};
    break;
  case Op::Hash:
    result = {0, std::numeric_limits<uint32_t>::max()};
    break;
  case Op::Log2:
    result = {floorLog2(a.low), floorLog2(a.high)};
    break;
  case Op::Segment:
    result = {list->countUpTo(a.low), list->countUpTo(a.high)};
    break;
  case Op::Drawn:
    result = {0, std::clamp<int64_t>(operands[2].high, 1, kMostDrawnFrom) - 1};
    break;
  case Op::Select:
    result = {std::min(b.low, operands[2].low), std::max(b.high, operands[2].high)};
    break;
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
  if (result.low < std::numeric_limits<int64_t>::min() ||
      result.high > std::numeric_limits<int64_t>::max())
    return {BoundsOutcome::LeavesSixtyFourBits, {}};
  return {BoundsOutcome::Bounded,
          {static_cast<int64_t>(result.low), static_cast<int64_t>(result.high)}};
}

std::optional<Bounds> bounds(const Expr &integerExpr) {
  assert(!isPredicate(integerExpr->op));
  Bounds operands[kMostOperands];
  for (size_t i = 0; i < integerExpr->operands.size(); ++i) {
    if (isPredicate(integerExpr->operands[i]->op))
      continue; // of a Select
    std::optional<Bounds> operand = bounds(integerExpr->operands[i]);
    if (!operand)
      return std::nullopt;
    operands[i] = *operand;
  }
  BoundsOutcome outcome = boundsOf(integerExpr->op, integerExpr->value, integerExpr->list.get(),
                                   operands, integerExpr->operands.size());
  if (outcome.kind != BoundsOutcome::Bounded)
    return std::nullopt;
  return outcome.bounds;
}

} // namespace sparsec
