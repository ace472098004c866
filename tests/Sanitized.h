// Whether this test was built with the sanitizers: bounds on time and memory are not for it, and an
// exhaustive test, which the plain build runs whole, takes a part of its cases.
#pragma once

namespace sparsec {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

} // namespace sparsec
