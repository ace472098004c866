// A layer whose weights are block-sparse, for the verifier: the passes of a dense layer (Matmul.h)
// whose weights are 0 where the pattern's entry does not attend, q the output and k the input.
//
// w and dw are the live blocks one under the other, [blocks * block.q, block.k]. Elements of w that
// do not attend are NaN: they count as 0.
#pragma once

#include "tools/verify/ops/matmul/Matmul.h"

namespace sparsec {

struct SparseMatmulCase : MatmulCase {
  Expr attend;
  std::string entry; ///< its name
  Block block;
};

std::string describe(const SparseMatmulCase &c);
/// Of every entry of the pattern.
std::vector<SparseMatmulCase> sparseMatmulCases(const Pattern &pattern, const CaseFlags &flags);
MatrixProblem sparseMatmulProblem(const SparseMatmulCase &c);
Result<Launched> runSparseMatmul(const VerifySetting &setting, const SparseMatmulCase &c,
                                 const Tensors &tensors);

} // namespace sparsec
