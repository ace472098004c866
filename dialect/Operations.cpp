#include "dialect/Operations.h"

#include "dialect/Ops.h"
#include "kernel/ops/Adam.h"
#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"
#include "kernel/ops/AttentionDecode.h"
#include "kernel/ops/AttentionMass.h"
#include "kernel/ops/CrossEntropy.h"
#include "kernel/ops/Elementwise.h"
#include "kernel/ops/Embedding.h"
#include "kernel/ops/LayerNorm.h"
#include "kernel/ops/Matmul.h"
#include "kernel/ops/Sample.h"
#include "kernel/ops/SparseMatmul.h"

#include <fmt/core.h>

namespace sparsec {

template <class R>
static void describe(mlir::OpBuilder &builder, const Request &request) {
  ops::describe(builder, *request.as<R>());
}

std::span<const Operation> operations() {
  static constexpr Operation table[] = {
      {AdamRequest::kOperation, nullptr, describe<AdamRequest>},
      {AttentionRequest::kOperation, nullptr, describe<AttentionRequest>},
      {AttentionBackwardRequest::kOperation, nullptr, describe<AttentionBackwardRequest>},
      {AttentionDecodeRequest::kOperation, nullptr, describe<AttentionDecodeRequest>},
      {AttentionMassRequest::kOperation, nullptr, describe<AttentionMassRequest>},
      {EmbeddingRequest::kOperation, nullptr, describe<EmbeddingRequest>},
      {EmbeddingGradientRequest::kOperation, nullptr, describe<EmbeddingGradientRequest>},
      {CrossEntropyRequest::kOperation, nullptr, describe<CrossEntropyRequest>},
      {ElementwiseRequest::kOperation, nullptr, describe<ElementwiseRequest>},
      {LayerNormRequest::kOperation, nullptr, describe<LayerNormRequest>},
      {LayerNormBackwardRequest::kOperation, nullptr, describe<LayerNormBackwardRequest>},
      {SampleRequest::kOperation, nullptr, describe<SampleRequest>},
      {MatmulRequest::kOperation, nullptr, describe<MatmulRequest>},
      {SparseMatmulRequest::kOperation, nullptr, describe<SparseMatmulRequest>},
  };
  return table;
}

Result<const Operation *> findOperation(std::span<const Operation> table, std::string_view name) {
  std::string known;
  for (const Operation &operation : table) {
    if (operation.name == name)
      return &operation;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", operation.name);
  }
  return inputError(fmt::format("expected an operation: {}; found '{}'", known, name));
}

} // namespace sparsec
