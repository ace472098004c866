// Whether this test was built with the sanitizers: bounds on time and memory are not for it, and an
// exhaustive test, which the plain build runs whole, takes a part of its cases.
#pragma once

#include <cstdint>

namespace sparsec {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Whether an exhaustive test leaves out its i-th case: the sanitizers look for what no case may
/// do, and every eleventh case does it too. (Eleven divides no number of kinds that the tests go
/// round.)
constexpr bool isLeftOut(int64_t i) {
  return kSanitized && i % 11 != 0;
}

} // namespace sparsec
