// A layer whose weights are block-sparse as a request: one of its three products, over the blocks
// that a predicate leaves anything of.
//
//   x [tokens, in]    y, dy [tokens, out]    w, dw [live block, block.q, block.k]
//
// q is the output, k the input; an element that does not attend counts as 0, whatever w holds
// there, and gets zero gradient. Dense weights are kernel/ops/Matmul.h's, whose passes, epilogues
// and kernels these are, with `E_masked` beside: a copy of w with those zeros, for blocks that are
// not full.
#pragma once

#include "kernel/ops/Matmul.h"
#include "patterns/Pattern.h"

namespace sparsec {

struct SparseMatmulRequest {
  static constexpr std::string_view kOperation = "sparse_matmul";
  std::string entry;
  Expr attend; ///< closed predicate of q and k
  MatmulRequest::Pass pass = MatmulRequest::Pass::Forward;
  DType dtype = DType::BF16;
  DType stream = DType::F32;  ///< with a residual: its type and that of y
  DType weights = DType::F32; ///< of dw
  bool bias = false, gelu = false, save = false, residual = false;
  int tokens = 0; ///< of a tile, a multiple of 16; 0: the choice for the target
  Block block;    ///< outputs and inputs, 16 to 128 in steps of 16
  Target target;
};

/// The request's tokens of a tile, or the target's.
int tokensOf(const SparseMatmulRequest &request);
/// Into how many ranges the tokens of a weight gradient are cut, of so many live blocks.
int64_t tokenRanges(const SparseMatmulRequest &request, int64_t tokens, int64_t live);

Result<void> checkRequest(const SparseMatmulRequest &request);
Needs needsOf(const SparseMatmulRequest &request);
std::string describeRequest(const SparseMatmulRequest &request);
std::string printRequest(const SparseMatmulRequest &request);

} // namespace sparsec
