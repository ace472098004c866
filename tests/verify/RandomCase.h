// Predicates, sizes, strides and blocks made by chance.
#pragma once

#include "tools/verify/Random.h"
#include "tools/verify/Verify.h"

namespace sparsec::testing {

/// Comparisons of the forms that patterns are made of, and odd ones, joined by and, or and not. As
/// text, so that a failure can be typed in again.
std::string randomPredicate(Random &random, int depth = 2);
VerifyCase randomCase(Random &random);

/// Runs the predicate and the case that a seed gives; what is wrong, with everything needed to see
/// it again, or nothing.
std::string runRandomCase(uint64_t seed, Device &device, const CompileFunction &compile);

} // namespace sparsec::testing
