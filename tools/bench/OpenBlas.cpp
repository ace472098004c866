#include "tools/bench/OpenBlas.h"

#include "tools/verify/Random.h"

#include <cmath>
#include <dlfcn.h>
#include <fmt/format.h>

namespace sparsec {
namespace {

template <class F>
bool find(void *library, const char *name, F &function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

/// "0.3.21" of "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Zen MAX_THREADS=64"
std::string versionIn(std::string_view config) {
  size_t begin = std::min(config.find(' '), config.size() - 1) + 1;
  return std::string(config.substr(begin, config.find(' ', begin) - begin));
}

} // namespace

Result<OpenBlas> OpenBlas::open() {
  void *handle = nullptr;
  for (const char *name : {"libopenblas.so.0", "libopenblas.so"})
    if ((handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)))
      break;
  if (!handle)
    return machineError("OpenBLAS is not here (Debian: libopenblas0-pthread)");
  OpenBlas blas;
  blas.library = std::shared_ptr<void>(handle, dlclose);
  char *(*config)() = nullptr, *(*core)() = nullptr;
  void (*setThreads)(int) = nullptr;
  if (!find(handle, "cblas_sgemm", blas.sgemm) || !find(handle, "openblas_get_config", config) ||
      !find(handle, "openblas_get_corename", core) ||
      !find(handle, "openblas_set_num_threads", setThreads))
    return machineError("libopenblas has no cblas_sgemm, or not its own functions");
  std::string_view configuration = config();
  if (configuration.find("USE64BITINT") != std::string_view::npos)
    return machineError("libopenblas is a build with 64-bit integers");
  setThreads(1);
  blas.what = fmt::format("OpenBLAS {}, {} kernels", versionIn(configuration), core());
  if (Result<void> right = blas.check(); !right)
    return right.error();
  return blas;
}

void OpenBlas::multiply(const Product &product) const {
  constexpr int kRowMajor = 101, kAsIs = 111, kTransposed = 112;
  sgemm(kRowMajor, kAsIs, product.right == Product::Right::Transposed ? kTransposed : kAsIs,
        static_cast<int>(product.m), static_cast<int>(product.n), static_cast<int>(product.k),
        product.scale, product.a, static_cast<int>(product.aStride), product.b,
        static_cast<int>(product.bStride), 0.0f, product.c, static_cast<int>(product.cStride));
}

Result<void> OpenBlas::check() const {
  constexpr int64_t m = 70, n = 90, k = 80;
  std::vector<float> a(m * k), b(n * k), c(m * n);
  Random random(1);
  for (std::vector<float> *each : {&a, &b})
    for (float &value : *each)
      value = random.normal();
  for (auto right : {Product::Right::AsIs, Product::Right::Transposed}) {
    bool transposed = right == Product::Right::Transposed;
    multiply({.right = right,
              .m = m,
              .n = n,
              .k = k,
              .a = a.data(),
              .aStride = k,
              .b = b.data(),
              .bStride = transposed ? k : n,
              .c = c.data(),
              .cStride = n});
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double exact = 0;
        for (int64_t l = 0; l < k; ++l)
          exact += double(a[i * k + l]) * b[transposed ? j * k + l : l * n + j];
        if (!(std::abs(c[i * n + j] - exact) < 1e-4))
          return machineError(fmt::format("{} computes wrong products on this machine: "
                                          "OPENBLAS_CORETYPE can name other kernels",
                                          what));
      }
  }
  return {};
}

} // namespace sparsec
