// OpenBLAS, opened at run time: a baseline that is there or not, never a library that sparsec
// needs.
//
// It runs with one thread; whoever wants more calls it from several. Refused: a library whose
// products are wrong on this machine (some builds choose kernels that the CPU does not compute
// rightly; OPENBLAS_CORETYPE then names others).
#pragma once

#include "patterns/Error.h"

namespace sparsec {

class OpenBlas {
public:
  static Result<OpenBlas> open();

  /// "OpenBLAS 0.3.21, Zen kernels"
  const std::string &description() const { return what; }

  /// c = scale a b, or scale a b^T: a is m x k, c is m x n, row by row with these row strides.
  struct Product {
    enum class Right { AsIs, Transposed } right = Right::AsIs;
    int64_t m = 0, n = 0, k = 0;
    float scale = 1;
    const float *a = nullptr;
    int64_t aStride = 0;
    const float *b = nullptr;
    int64_t bStride = 0;
    float *c = nullptr;
    int64_t cStride = 0;
  };
  void multiply(const Product &product) const;

private:
  /// cblas_sgemm of a build with 32-bit integers.
  using Sgemm = void (*)(int order, int transA, int transB, int m, int n, int k, float alpha,
                         const float *a, int lda, const float *b, int ldb, float beta, float *c,
                         int ldc);
  Result<void> check() const;

  std::shared_ptr<void> library;
  Sgemm sgemm = nullptr;
  std::string what;
};

} // namespace sparsec
