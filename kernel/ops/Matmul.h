// A dense layer as a request: one of its three products, with what stands around it.
//
//   x [tokens, in]    w [out, in]    y, dy [tokens, out]    all by rows, any sizes and row strides
//
//   pass             computes                                     kernels, by entry
//   Forward          u = x w^T (+ bias)                           E
//                    y = u, or with gelu: u sigmoid(1.702 u);
//                    (+ residual); save: u is left too
//   InputGradient    dx = dy w (+ dx)                             E
//                    with gelu: dy w times the derivative at u,
//                    so that it is the gradient of u
//   WeightGradient   dw = dy^T x (+ dw)                           E          all tokens in one item
//                                                                 E_part     a range of the tokens
//                                                                 E_sum      the sum of the ranges
//                    with bias: db = column sums of dy (+ db)     E_bias, E_bias_sum   likewise
//
// Whether a gradient goes on from what is there, a launch says. Sums are f32, over tokens and over
// columns in one order whatever runs in parallel. x, w, u, y and their gradients have one type;
// with a residual y has that of `stream`, as the residual; dw has that of `weights`; bias and db
// are f32.
#pragma once

#include "kernel/Request.h"

namespace sparsec {

struct MatmulRequest {
  static constexpr std::string_view kOperation = "matmul";
  enum class Pass : uint8_t { Forward, InputGradient, WeightGradient };
  /// What one work item computes of two axes, and the chunk of the third that one step sums.
  /// Multiples of 16; 0: the choice for the target.
  struct Tile {
    int tokens = 0, out = 0, in = 0;
    bool operator==(const Tile &) const = default;
  };

  std::string entry;
  Pass pass = Pass::Forward;
  DType dtype = DType::BF16;
  DType stream = DType::F32;  ///< with a residual: its type and that of y
  DType weights = DType::F32; ///< of dw
  bool bias = false;          ///< Forward, WeightGradient
  bool gelu = false;          ///< Forward, InputGradient
  bool save = false;          ///< Forward with gelu: u is an output
  bool residual = false;      ///< Forward
  Tile tile;
  int stages = 0; ///< chunks of the third axis in a GPU's shared memory at once; 0: the choice
  Block block;    ///< none: there are no blocks
  Target target;
};

std::string_view name(MatmulRequest::Pass pass); ///< "forward", "input gradient", ...
/// The tile that is compiled: the request's, its zeros filled in.
MatmulRequest::Tile tileOf(const MatmulRequest &request);
/// The stages that are compiled, at least 2.
int stagesOf(const MatmulRequest &request);
/// A tile for these sizes: as large as the target likes, smaller where the sizes leave parts of it
/// empty. For MatmulRequest::tile.
MatmulRequest::Tile chooseTile(const MatmulRequest &request, int64_t tokens, int64_t out,
                               int64_t in);
/// Rows of tiles of the result whose items are neighbours, column by column.
int64_t rowsTogether(const MatmulRequest &request);
/// Into how many ranges the tokens of a weight gradient are cut; 1: no E_part. Depends on the sizes
/// alone, so that equal calls give equal bits on every machine of a kind.
int64_t tokenRanges(const MatmulRequest &request, int64_t tokens, int64_t out, int64_t in);
/// Likewise for its bias, whose items are fewer.
int64_t biasRanges(const MatmulRequest &request, int64_t tokens, int64_t out, int64_t in);

/// Ranges of its bias that one step sums.
inline constexpr int kBiasRangesTogether = 32;

Result<void> checkRequest(const MatmulRequest &request);
Needs needsOf(const MatmulRequest &request);
std::string describeRequest(const MatmulRequest &request);
std::string printRequest(const MatmulRequest &request);

} // namespace sparsec
