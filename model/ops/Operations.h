// The operations that a step of the model calls, as data. A file each loads and launches them.
//
//   x [rows, in] and weights [out, in] are matrices; rows are tokens, batch after batch
#pragma once

#include "layout/HeadTables.h"
#include "model/Calls.h"
#include "model/Parameters.h"

namespace sparsec {

class Embedding;
class EmbeddingGradient;

/// What becomes of the gradient that a parameter has already.
enum class Sums : uint8_t { Written, Added };

/// out[t] = table[token[t]] + sum of the tables of positions at t mod length.
struct EmbeddingWork : CallOperation {
  std::vector<PositionConfig> positions;
  int64_t length = 0;
  bool decodes = false;     ///< every row is at the position that the list is run for
  DType dtype = DType::F32; ///< of the tables
  BufferView tokens;        ///< i32 [1, rows]
  BufferView table;         ///< [classes, width]
  std::vector<BufferView> tables;
  BufferView out; ///< f32 [rows, width]

  std::string_view operation() const override { return "embedding"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;

private:
  Launch bind(const Places &at, int64_t n, const std::shared_ptr<Embedding> &embedding) const;
};

/// The gradients of the tables.
struct EmbeddingBackwardWork : CallOperation {
  std::vector<PositionConfig> positions;
  int64_t length = 0;
  Sums sums = Sums::Written;
  BufferView tokens, dout;
  BufferView table; ///< of the tokens, f32
  std::vector<BufferView> tables;

  std::string_view operation() const override { return "embedding_backward"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;

private:
  Launch bind(const Places &at, int64_t batch,
              const std::vector<std::shared_ptr<EmbeddingGradient>> &gradients) const;
};

struct LayerNormWork : CallOperation {
  DType dtype = DType::F32; ///< of out; x is f32
  double epsilon = 1e-5;
  BufferView x, gain, bias, out;
  BufferView mean, rstd; ///< f32 [1, rows], for backward; none: not kept

  std::string_view operation() const override { return "layer_norm"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

struct LayerNormBackwardWork : CallOperation {
  DType dtype = DType::F32; ///< of dout
  BufferView x, gain, mean, rstd, dout;
  BufferView dresidual; ///< added to dx; none: nothing
  BufferView dx, dgain, dbias;
  Sums sums = Sums::Written; ///< dgain and dbias

  std::string_view operation() const override { return "layer_norm_backward"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// out = f(x w^T + bias) + residual, f the identity or GELU; `inner` keeps f's argument.
struct MatmulWork : CallOperation {
  DType dtype = DType::F32;
  DType outType = DType::F32;
  bool gelu = false;
  BufferView x, w, bias, residual, out, inner;

  std::string_view operation() const override { return "matmul"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  double flops() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// dx = dy w, times GELU's derivative at `inner` where there is one.
struct MatmulInputGradientWork : CallOperation {
  DType dtype = DType::F32;
  BufferView dy, w, inner, dx;

  std::string_view operation() const override { return "matmul_dx"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  double flops() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// dw = dy^T x and db = the column sums of dy, in f32.
struct MatmulWeightGradientWork : CallOperation {
  DType dtype = DType::F32;
  Sums sums = Sums::Written;
  BufferView x, dy, dw, db;

  std::string_view operation() const override { return "matmul_dw"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  double flops() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// The heads of a layer that use one entry of a pattern.
struct LayerEntry {
  int entry = 0;
  Heads heads;
};
/// Layer i of a model takes the pattern's layer i mod their number; heads with equal entries are
/// one.
std::vector<LayerEntry> entriesOfLayer(const Pattern &pattern, int64_t layer, int64_t heads);

/// Sizes that forward and backward share. q, k and v are columns of one matrix, a head's side by
/// side; out likewise; lse is [batch, heads, length].
struct AttentionSizes {
  int64_t batch = 1, length = 0, heads = 1, qkDim = 0, valueDim = 0;
  int64_t queries = 0; ///< `length`; or 1, the position that is decoded
  DType dtype = DType::F32;
  std::shared_ptr<const Pattern> pattern;
  std::vector<LayerEntry> entries;
  bool decodes = false; ///< by AttentionDecodeWork
  double pairs = 0;     ///< that attend, over the heads of a layer and the batch
};

struct AttentionWork : CallOperation {
  AttentionSizes sizes;
  BufferView q, k, v, out, lse;

  std::string_view operation() const override { return "attention"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  double flops() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// Of the token that is decoded over the keys that are kept: q, k and v as AttentionWork has them.
struct AttentionDecodeWork : CallOperation {
  AttentionSizes sizes;
  BufferView q, k, v, out;
  BufferView lengths; ///< i32 [1, batch]: tokens of each sequence, this one among them

  std::string_view operation() const override { return "attention_decode"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};
/// Whether every entry can be decoded so; else AttentionWork decodes, by a layout for each position
/// and over keys that are 0 where they are not there yet.
bool isDecodable(const AttentionSizes &sizes);

struct AttentionBackwardWork : CallOperation {
  AttentionSizes sizes;
  BufferView q, k, v, out, lse, dout, dq, dk, dv;

  std::string_view operation() const override { return "attention_backward"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  double flops() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// out = residual + x where the mask of (seed, stream) keeps it, over 1 - rate. The mask is a
/// function of seed, stream and place: it is the same in backward and in a recomputed forward pass.
struct DropoutWork : CallOperation {
  DType from = DType::F32, to = DType::F32; ///< of x; of residual and out
  double rate = 0;
  int64_t stream = 0; ///< of the layer and its branch
  BufferView seed;    ///< one number in device memory: differs from step to step
  BufferView x, residual, out;

  std::string_view operation() const override { return "dropout"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// The same numbers in another type.
struct CastWork : CallOperation {
  DType from = DType::F32, to = DType::F32;
  BufferView x, out;

  std::string_view operation() const override { return "cast"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// losses[t] = -log softmax(logits[t])[target[t]], their sum times `factor`, and the gradient of
/// the losses times `scale`. A token whose target is negative has loss 0 and gradient 0.
struct CrossEntropyWork : CallOperation {
  DType dtype = DType::F32; ///< of logits and dlogits
  double scale = 1, factor = 1;
  BufferView logits, targets; ///< i32 [1, rows]
  BufferView losses;          ///< f32 [1, rows]
  BufferView total;           ///< f32 [1, 1]
  BufferView lossScale;       ///< f32 [1, 1], which multiplies the gradient too; none: 1
  BufferView dlogits;         ///< none: not wanted

  std::string_view operation() const override { return "cross_entropy"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// A class of each row, drawn by its probability.
struct SampleWork : CallOperation {
  DType dtype = DType::F32; ///< of the logits
  double temperature = 1;   ///< 0: the largest
  BufferView logits;
  BufferView seed;   ///< i64 [1, 1]: another one for every draw
  BufferView tokens; ///< i32 [1, rows]

  std::string_view operation() const override { return "sample"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

/// One step of Adam over the flat buffers, with the global norm of the gradient and what follows
/// from it: the clip, and nothing at all where the gradient is not finite.
struct AdamWork : CallOperation {
  static constexpr int32_t kScaleInterval = 2000; ///< clean steps before the loss scale doubles

  std::shared_ptr<const Parameters> parameters;
  DType dtype = DType::F32; ///< of `weights`
  double beta1 = 0, beta2 = 0, epsilon = 1e-8, weightDecay = 0, gradClip = 0;
  BufferView master, gradient, first, second; ///< f32, flat
  BufferView weights;                         ///< in `dtype`; none where it is f32
  BufferView state;                           ///< an AdamState

  std::string_view operation() const override { return "adam"; }
  std::vector<Use> uses() const override;
  std::string shape() const override;
  Result<LoadedCall> load(Loader &loader) const override;
};

} // namespace sparsec
