// The operations of the `sparsec` dialect in C++. Each owns its definition, its tile programs and
// its naive reference in a folder under ops/.
#pragma once

#include "dialect/Tile.h"

#include "dialect/OpsInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialect/Ops.h.inc"

namespace sparsec {
struct AdamRequest;
struct AttentionRequest;
struct AttentionBackwardRequest;
struct AttentionDecodeRequest;
struct AttentionMassRequest;
struct EmbeddingRequest;
struct EmbeddingGradientRequest;
struct CrossEntropyRequest;
struct ElementwiseRequest;
struct LayerNormRequest;
struct LayerNormBackwardRequest;
struct SampleRequest;
struct MatmulRequest;
struct SparseMatmulRequest;
} // namespace sparsec

namespace sparsec::ops {

/// Writes the operation of a request, which is right and has its block.
void describe(mlir::OpBuilder &builder, const AdamRequest &request);
void describe(mlir::OpBuilder &builder, const AttentionRequest &request);
void describe(mlir::OpBuilder &builder, const AttentionBackwardRequest &request);
void describe(mlir::OpBuilder &builder, const AttentionDecodeRequest &request);
void describe(mlir::OpBuilder &builder, const AttentionMassRequest &request);
void describe(mlir::OpBuilder &builder, const EmbeddingRequest &request);
void describe(mlir::OpBuilder &builder, const EmbeddingGradientRequest &request);
void describe(mlir::OpBuilder &builder, const CrossEntropyRequest &request);
void describe(mlir::OpBuilder &builder, const ElementwiseRequest &request);
void describe(mlir::OpBuilder &builder, const LayerNormRequest &request);
void describe(mlir::OpBuilder &builder, const LayerNormBackwardRequest &request);
void describe(mlir::OpBuilder &builder, const SampleRequest &request);
void describe(mlir::OpBuilder &builder, const MatmulRequest &request);
void describe(mlir::OpBuilder &builder, const SparseMatmulRequest &request);

} // namespace sparsec::ops
