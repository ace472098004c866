#include "codegen/cpu/products/Products.h"

namespace sparsec::cpu {

std::span<const ProductKind *const> productKinds() {
  static constexpr const ProductKind *kKinds[] = {&kAmx, &kPairs, &kF32};
  return kKinds;
}

} // namespace sparsec::cpu
