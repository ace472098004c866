// The optimiser's step as a row of the verifier's table.
//
//   weights m v copy     8 (copy: 2) of the plain reading's errors, as for every output
//   reals                likewise: the norm, its factors, the corrections, the next loss scale
//   integers             exactly: steps, clean ones, overflows
//
// Segments are of every length modulo a row; what pads them is large in gradients, so that a norm
// that counted it would be seen.
#pragma once

#include "tools/verify/MatrixTrial.h"

namespace sparsec {

/// `dtype`: of gradients; `rows`: of the flat buffers.
struct AdamCase : MatrixCase {
  static constexpr std::string_view kOperation = "adam";
  enum class Gradients : uint8_t { Normal, Large, Infinite, NotANumber };
  std::optional<DType> copy;
  Gradients gradients = Gradients::Normal; ///< Large: clipped
  int32_t step = 0;                        ///< taken before
  bool grows = false;                      ///< the loss scale is due to grow
};

std::string describe(const AdamCase &c);
std::vector<AdamCase> adamCases(const CaseFlags &flags);
MatrixProblem adamProblem(const AdamCase &c);
Result<Launched> runAdam(const VerifySetting &setting, const AdamCase &c, const Tensors &tensors);

inline constexpr VerifyOperation kAdamVerification =
    matrixVerification<AdamCase, adamCases, adamProblem, runAdam>();

} // namespace sparsec
