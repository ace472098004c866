#include "tools/verify/Operation.h"

#include "tools/verify/ops/adam/Adam.h"
#include "tools/verify/ops/backward/Backward.h"
#include "tools/verify/ops/cross_entropy/CrossEntropy.h"
#include "tools/verify/ops/decode/Decode.h"
#include "tools/verify/ops/elementwise/Elementwise.h"
#include "tools/verify/ops/embedding/Embedding.h"
#include "tools/verify/ops/forward/Forward.h"
#include "tools/verify/ops/layer_norm/LayerNorm.h"
#include "tools/verify/ops/mass/Mass.h"
#include "tools/verify/ops/matmul/Matmul.h"
#include "tools/verify/ops/sample/Sample.h"

namespace sparsec {

double defaultUnits(DType type) {
  switch (type) {
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::F32:
    return 8;
  }
  return 0;
}

std::span<const VerifyOperation> verifyOperations() {
  // clang-format off
  static constexpr VerifyOperation table[] = {
      kForwardVerification,
      kBackwardVerification,
      kDecodeVerification,
      kMassVerification,
      kAdamVerification,
      kEmbeddingVerification,
      kEmbeddingGradientVerification,
      kLayerNormVerification,
      kCrossEntropyVerification,
      kElementwiseVerification,
      kSampleVerification,
      kLayerNormBackwardVerification,
      kMatmulVerification,
  };
  // clang-format on
  return table;
}

const VerifyOperation *findVerifyOperation(std::span<const VerifyOperation> table,
                                           std::string_view name) {
  auto found = std::ranges::find(table, name, &VerifyOperation::name);
  return found == table.end() ? nullptr : &*found;
}

} // namespace sparsec
