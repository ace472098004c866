// A case of attention backward: the forward call whose gradients are taken, and what is asked of
// them.
#pragma once

#include "tools/verify/ops/forward/Case.h"

namespace sparsec {

/// The gradient in which pairs are counted. With lse and out 0, scale 1 and no score every p is 1,
/// and the sums are exact integers, in whatever order:
///
///   InDq   q = 0   k one-hot by key     v = dout = e0   dq[q][c]: keys = c that q attends to
///   InDk   k = 0   q one-hot by query   v = dout = e0   dk[k][c]: queries = c that attend to k
///   InDv   q = 0   v = 0   dout one-hot by query        dv[k][c]: likewise
enum class Counting : uint8_t { None, InDq, InDk, InDv };

enum class Dlse : uint8_t { None, Given };

/// `inputs` is Normal or Peaked here; an lse is always wanted.
struct BackwardCase : ForwardCase {
  static constexpr std::string_view kOperation = "backward";
  Dlse dlse = Dlse::None;
  Counting counting = Counting::None;
};

/// "bf16, head dim 64, n 200, nq 77, 2 x 4 heads (2 kv), BSHD, dlse"
std::string describe(const BackwardCase &c);

/// A few runs that touch every dtype and every kind of size, and count in each gradient.
std::vector<BackwardCase> defaultBackwardCases(const Pattern &pattern);
/// The matrix of fullForwardCases(), where entries share kv heads too, and counting at every head
/// dim.
std::vector<BackwardCase> fullBackwardCases(const Pattern &pattern);
/// Those that flags ask for.
std::vector<VerifyCase> backwardCases(const Pattern &pattern, const CaseFlags &flags);

} // namespace sparsec
