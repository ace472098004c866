// The operations that a compiler knows, as a table that it takes as an argument: nothing registers
// itself, and a test passes a table of its own with one row more.
//
//   name       what it writes                      whose request
//   adam       sparsec.adam                        kernel/ops/Adam.h
//   forward    sparsec.attention                   kernel/ops/Attention.h
//   backward   sparsec.attention_backward          kernel/ops/AttentionBackward.h
//   decode     sparsec.attention_decode            kernel/ops/AttentionDecode.h
//   mass       sparsec.attention_mass              kernel/ops/AttentionMass.h
//   cross_entropy
//              sparsec.cross_entropy              kernel/ops/CrossEntropy.h
//   elementwise
//              sparsec.elementwise                kernel/ops/Elementwise.h
//   embedding, embedding_gradient
//              likewise                           kernel/ops/Embedding.h
//   matmul     sparsec.matmul and its gradients   kernel/ops/Matmul.h
//   sparse_matmul
//              sparsec.sparse_matmul, likewise    kernel/ops/SparseMatmul.h
//   layer_norm, layer_norm_backward
//              sparsec.layer_norm                 kernel/ops/LayerNorm.h
//   sample     sparsec.sample                     kernel/ops/Sample.h
#pragma once

#include "kernel/Request.h"

#include <span>

namespace mlir {
class DialectRegistry;
class OpBuilder;
} // namespace mlir

namespace sparsec {

struct Operation {
  std::string_view name; ///< that of its requests
  /// The dialects of what describe() writes, beside those of the compiler; may be null.
  void (*registerDialects)(mlir::DialectRegistry &registry);
  /// Writes the whole operation, an op that owns its kernels (KernelOpInterface).
  void (*describe)(mlir::OpBuilder &builder, const Request &request);
};

/// sparsec's own.
std::span<const Operation> operations();
/// By name; an Error that lists them when there is none.
Result<const Operation *> findOperation(std::span<const Operation> table, std::string_view name);

} // namespace sparsec
