// The tensors of a C call, held against what a plan expects of them.
#pragma once

#include "runtime/Tensor.h"
#include "runtime/c/Boundary.h"

namespace sparsec {

/// What the tensors of a call have in common.
struct CallContext {
  int32_t dlpackType = SPARSEC_DL_CPU, dlpackId = 0;
  int32_t layout = SPARSEC_BHSD;
};

/// What one tensor must be. `heads` and `rows` change places in memory with the layout.
struct TensorExpectation {
  const char *name;
  DType dtype = DType::F32;
  int64_t batch = 0, heads = 0, rows = 0;
  int64_t columns = 0; ///< 0: three dimensions, of which rows are the last
};

/// Memory with strides: batch, head, row. Refused, by the tensor's name: null; another device,
/// type, number of dimensions or shape; a last dimension with a stride.
Result<Tensor> tensorOf(const sparsec_tensor *given, const TensorExpectation &expected,
                        const CallContext &context);
/// 32-bit integers or f32, dense, of a shape.
Result<Tensor> denseOf(const sparsec_tensor *given, const char *name, uint8_t code,
                       std::span<const int64_t> shape, const CallContext &context);

} // namespace sparsec
