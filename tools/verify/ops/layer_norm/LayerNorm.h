// Layer norm and its backward as rows of the verifier's table.
//
//   y mean rstd          2 (f32: 8) of the plain reading's errors, as for every output
//   dx dgain dbias       likewise; and 2^-24 of the magnitudes that sum up to dgain and dbias
//
// Backward is handed mean and rstd of the float64 reference, rounded to f32.
#pragma once

#include "tools/verify/MatrixTrial.h"

namespace sparsec {

/// What x holds.
enum class RowValues : uint8_t {
  Normal, ///< mean 0, variance 1
  Offset, ///< mean 300: squares of uncentred values would cancel
  Scaled, ///< rows from 2^-40 to 2^40
  Equal,  ///< all values of a row: variance 0
};

struct LayerNormCase : MatrixCase {
  static constexpr std::string_view kOperation = "layer_norm";
  DType stream = DType::F32; ///< of x and dx; dtype: of y and dy
  RowValues values = RowValues::Normal;
  bool saves = true; ///< mean and rstd are wanted
};
struct LayerNormBackwardCase : LayerNormCase {
  static constexpr std::string_view kOperation = "layer_norm_backward";
  bool residual = true, accumulate = false;
};

std::string describe(const LayerNormCase &c);
std::string describe(const LayerNormBackwardCase &c);

std::vector<LayerNormCase> layerNormCases(const CaseFlags &flags);
std::vector<LayerNormBackwardCase> layerNormBackwardCases(const CaseFlags &flags);
MatrixProblem layerNormProblem(const LayerNormCase &c);
MatrixProblem layerNormBackwardProblem(const LayerNormBackwardCase &c);
Result<Launched> runLayerNorm(const VerifySetting &setting, const LayerNormCase &c,
                              const Tensors &tensors);
Result<Launched> runLayerNormBackward(const VerifySetting &setting, const LayerNormBackwardCase &c,
                                      const Tensors &tensors);

inline constexpr VerifyOperation kLayerNormVerification =
    matrixVerification<LayerNormCase, layerNormCases, layerNormProblem, runLayerNorm>();
inline constexpr VerifyOperation kLayerNormBackwardVerification =
    matrixVerification<LayerNormBackwardCase, layerNormBackwardCases, layerNormBackwardProblem,
                       runLayerNormBackward>();

} // namespace sparsec
