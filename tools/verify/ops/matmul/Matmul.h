// A dense layer as a row of the verifier's table: each of its passes with whatever stands around
// it.
//
//   forward           y [u]       input gradient   dx       weight gradient   dw [db]
//
// Bounds: the rounding of the output's type, and (4 + 2 sqrt(terms)) 2^-24 of the sum of |terms|:
// not the worst that an order of a sum in f32 can do, but far above what roundings at random do.
#pragma once

#include "runtime/Matmul.h"
#include "tools/verify/MatrixTrial.h"

namespace sparsec {

struct MatmulCase : MatrixCase {
  static constexpr std::string_view kOperation = MatmulRequest::kOperation;
  MatmulRequest::Pass pass = MatmulRequest::Pass::Forward;
  int64_t in = 0, out = 0; ///< tokens are the rows
  DType stream = DType::F32, weights = DType::F32;
  bool bias = false, gelu = false, save = false, residual = false, accumulate = false;
  MatmulRequest::Tile tile; ///< 0: that of the compiler
};

std::string describe(const MatmulCase &c);
std::vector<NamedSize> sizesOf(const MatmulCase &c);
/// Tokens are the flags' rows, in and out their columns.
std::vector<MatmulCase> matmulCases(const CaseFlags &flags);
/// `attends`, [out, in]: weights are 0 elsewhere. Empty: everywhere.
MatrixProblem matmulProblem(const MatmulCase &c, const std::vector<uint8_t> &attends = {});
/// The tensors of a case as a call takes them; `hasWeights`: there are w and dw.
MatmulCall callOf(const MatmulCase &c, const Tensors &tensors, bool hasWeights = true);
Result<Launched> runMatmul(const VerifySetting &setting, const MatmulCase &c,
                           const Tensors &tensors);

// Dense layers without a pattern; with one block-sparse weights (SparseMatmul.h).
std::vector<VerifyCase> layerCases(const Pattern &pattern, const CaseFlags &flags);
std::unique_ptr<Trial> layerTrial(const Pattern &pattern, const VerifyCase &c);
std::unique_ptr<Runner> layerRunner(const VerifySetting &setting);

inline constexpr VerifyOperation kMatmulVerification = {
    .name = MatmulCase::kOperation,
    .cases = layerCases,
    .trial = layerTrial,
    .runner = layerRunner,
    .pattern = PatternUse::Optional,
    .note =
        "matmul's bound is of roundings at random: a sum of n terms may be off by (4 + 2 sqrt n) "
        "2^-24 of their magnitudes; the worst order of a sum could be off by n 2^-24 of them"};

} // namespace sparsec
