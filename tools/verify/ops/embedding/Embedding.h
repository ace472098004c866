// Embedding and the gradient of a table as rows of the verifier's table.
//
//   x           2 (f32: 8) of the plain reading's errors
//   gradient    8 of them, and 2^-24 of the magnitudes that sum up to it; exactly where dx has
//               integers
//
// Some tokens are no row of the table where their type allows it.
#pragma once

#include "kernel/ops/Embedding.h"
#include "tools/verify/MatrixTrial.h"

namespace sparsec {

/// An index in the language, and what it should give.
struct IndexCase {
  const char *text = "";
  int64_t (*row)(int64_t t) = nullptr;
  int64_t rows = 0;
};

/// `rows`: batch n.
struct EmbeddingCase : MatrixCase {
  static constexpr std::string_view kOperation = "embedding";
  DType tables = DType::F32;
  IndexType tokens = IndexType::U8;
  int64_t batch = 1, n = 0, classes = 0;
  std::vector<IndexCase> positions;
};

/// Of tokens where the index has no row; `dtype`: of dx.
struct EmbeddingGradientCase : MatrixCase {
  static constexpr std::string_view kOperation = "embedding_gradient";
  IndexType tokens = IndexType::I32;
  IndexCase index;
  int64_t (*tokenAt)(int64_t t) = nullptr; ///< in each sequence; none: random ones
  int64_t batch = 1, n = 0, tableRows = 0;
  bool accumulate = false;
  bool whole = false; ///< dx has integers: sums are exact
};

std::string describe(const EmbeddingCase &c);
std::string describe(const EmbeddingGradientCase &c);

std::vector<EmbeddingCase> embeddingCases(const CaseFlags &flags);
std::vector<EmbeddingGradientCase> embeddingGradientCases(const CaseFlags &flags);
MatrixProblem embeddingProblem(const EmbeddingCase &c);
MatrixProblem embeddingGradientProblem(const EmbeddingGradientCase &c);
Result<Launched> runEmbedding(const VerifySetting &setting, const EmbeddingCase &c,
                              const Tensors &tensors);
Result<Launched> runEmbeddingGradient(const VerifySetting &setting, const EmbeddingGradientCase &c,
                                      const Tensors &tensors);

inline constexpr VerifyOperation kEmbeddingVerification =
    matrixVerification<EmbeddingCase, embeddingCases, embeddingProblem, runEmbedding>();
inline constexpr VerifyOperation kEmbeddingGradientVerification =
    matrixVerification<EmbeddingGradientCase, embeddingGradientCases, embeddingGradientProblem,
                       runEmbeddingGradient>();

} // namespace sparsec
