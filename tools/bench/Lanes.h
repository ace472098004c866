// Loops over vectors of f32, compiled once for each width that a CPU may have and chosen when they
// run. No intrinsics: a vector is the compiler's own type, and a * b + c one FMA where there is
// one.
//
//   template <int W> void sumOf(...)      W = 4 (any CPU), 8 (AVX2 and FMA), 16 (AVX-512)
//   SPARSEC_FOR_WIDTHS(sumOf)             defines sumOfAtWidth(lanesOfThisCpu(), ...)
#pragma once

#include <cstdint>

namespace sparsec {

/// f32 lanes of the widest vectors that this CPU computes with: 16, 8 or 4.
int lanesOfThisCpu();
/// "AVX-512", "AVX2 and FMA", "vectors of 4".
const char *nameOfLanes(int lanes);
/// Whether dot products of bf16 pairs are one instruction (AVX512_BF16).
bool hasBf16Dot();

template <int W>
struct Lanes {
  typedef float F __attribute__((vector_size(4 * W)));
  typedef int32_t I __attribute__((vector_size(4 * W)));
};

} // namespace sparsec

#ifdef __x86_64__
#define SPARSEC_TARGET_8 __attribute__((target("avx2,fma")))
#define SPARSEC_TARGET_16 __attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma")))
#else
#define SPARSEC_TARGET_8
#define SPARSEC_TARGET_16
#endif

/// `function` is a template over W that must be inlined into each of these.
#define SPARSEC_FOR_WIDTHS(function)                                                               \
  template <class... A>                                                                            \
  auto function##4(A... a) {                                                                       \
    return function<4>(a...);                                                                      \
  }                                                                                                \
  template <class... A>                                                                            \
  SPARSEC_TARGET_8 auto function##8(A... a) {                                                      \
    return function<8>(a...);                                                                      \
  }                                                                                                \
  template <class... A>                                                                            \
  SPARSEC_TARGET_16 auto function##16(A... a) {                                                    \
    return function<16>(a...);                                                                     \
  }                                                                                                \
  template <class... A>                                                                            \
  auto function##AtWidth(int lanes, A... a) {                                                      \
    return lanes == 16 ? function##16(a...) : lanes == 8 ? function##8(a...) : function##4(a...);  \
  }
