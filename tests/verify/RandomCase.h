// Predicates, sizes, strides and blocks made by chance.
#pragma once

#include "tools/verify/Random.h"
#include "tools/verify/Verify.h"
#include "tools/verify/ops/forward/Case.h"

namespace sparsec::testing {

/// Comparisons of the forms that patterns are made of, and odd ones, joined by and, or and not. As
/// text, so that a failure can be typed in again.
std::string randomPredicate(Random &random, int depth = 2);
ForwardCase randomCase(Random &random);

/// Which schedules a random case may have.
enum class Schedules {
  Any,     ///< orders, splits and block lists by chance too
  Natural, ///< one part in natural order, blocks in tables: what an oracle can follow
};

/// Orders of either axis that hold for any length, and a split, by chance.
Schedule randomSchedule(Random &random, const Expr &attend);

/// Runs the predicate and the case that a seed gives; what is wrong, with everything needed to see
/// it again, or nothing.
std::string runRandomCase(uint64_t seed, Device &device, const CompileFunction &compile,
                          Schedules schedules = Schedules::Any);

} // namespace sparsec::testing
