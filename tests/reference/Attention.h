// Attention written the plain way: what every kernel is compared with.
//
//   scores[q][k] = scale * sum_d Q[q][d] K[k][d]         for k that q may attend to, by evaluate()
//   P[q][k]      = exp(scores - max) / sum               out[q] = sum_k P[q][k] V[k]
//   lse[q]       = max + log(sum)                        a row without keys: out 0, lse -inf
//
// Two readings: `exact` in float64 throughout, and `plain`, what an unfused implementation in the
// tensors' type would give: scores and sums in f32, P and out rounded to the type. Their distance
// is the unit in which a kernel's error is measured.
//
// That distance says too little of an lse. A score is a sum whose products may cancel, and the LSE
// of one key is that score: of q = (1.5, 1.1), k = (1.3, -1.8) the products 1.95 - 1.98 leave
// -0.03, and f32 rounds them at 2^-24 of 1.98, whatever the order, not at 2^-24 of 0.03. `plain`
// meets one sample of that rounding, with few rows next to nothing of it. So the exact result also
// says how large the products of a row's scores are (lseTerms), and an lse may be off by 2^-24 of
// that.
//
// Sees nothing of the compiler but the meaning of a predicate at a point.
#pragma once

#include "patterns/Evaluate.h"

#include <vector>

namespace sparsec::reference {

struct AttentionProblem {
  std::vector<Expr> attend; ///< head h uses attend[h mod size]
  int64_t batch = 1, heads = 1, kvHeads = 1;
  int64_t nq = 0, n = 0, q0 = 0;
  int64_t headDim = 0, valueDim = 0;
  float scale = 1;
  std::vector<float> q; ///< [batch, heads, nq, headDim], dense, values of the tensors' type
  std::vector<float> k; ///< [batch, kvHeads, n, headDim]
  std::vector<float> v; ///< [batch, kvHeads, n, valueDim]
};

template <class T>
struct AttentionResult {
  std::vector<T> out; ///< [batch, heads, nq, valueDim]
  std::vector<T> lse; ///< [batch, heads, nq]
  /// Of `exact`: the largest scale * sum_d |Q[q][d] K[k][d]| of a key that the row attends to.
  std::vector<double> lseTerms;
};

/// Which keys each query of one head attends to: [nq, n], 1 or 0.
std::vector<uint8_t> attended(const AttentionProblem &problem, int64_t head);

AttentionResult<double> exact(const AttentionProblem &problem);
/// `round` rounds to the tensors' type.
AttentionResult<float> plain(const AttentionProblem &problem, float (*round)(float));

} // namespace sparsec::reference
