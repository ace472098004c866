#include "tools/verify/ops/backward/Problem.h"

#include "tools/verify/Random.h"
#include "tools/verify/ops/forward/Problem.h"

#include <algorithm>

namespace sparsec {

using reference::AttentionProblem;
using reference::AttentionResult;
using reference::BackwardProblem;

namespace {

/// [.., rows, columns]: 1 at column = row mod columns, else 0.
void setOneHot(std::vector<float> &values, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
    values[i] = i / columns % rows % columns == i % columns ? 1.0f : 0.0f;
}

/// Each row e0.
void setFirstColumn(std::vector<float> &values, int64_t columns) {
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
    values[i] = i % columns == 0 ? 1.0f : 0.0f;
}

void setCounting(BackwardProblem &problem, Counting counting) {
  AttentionProblem &p = problem.forward;
  p.scale = 1;
  if (counting == Counting::InDv) {
    std::ranges::fill(p.q, 0.0f);
    std::ranges::fill(p.v, 0.0f);
    setOneHot(problem.dout, p.nq, p.valueDim);
    return;
  }
  setFirstColumn(p.v, p.valueDim);
  setFirstColumn(problem.dout, p.valueDim);
  bool inDq = counting == Counting::InDq;
  std::ranges::fill(inDq ? p.q : p.k, 0.0f);
  setOneHot(inDq ? p.k : p.q, inDq ? p.n : p.nq, p.headDim);
}

} // namespace

BackwardProblem makeProblem(const Pattern &pattern, const BackwardCase &c) {
  BackwardProblem problem{
      .forward = makeProblem(pattern, static_cast<const ForwardCase &>(c)), .dout = {}, .dlse = {}};
  Random random(~c.seed); // other numbers than those of q, k and v
  auto round = rounding(c.dtype);
  problem.dout.resize(c.batch * c.heads * c.nq * c.valueDim);
  for (float &value : problem.dout)
    value = round(random.normal());
  if (c.dlse == Dlse::Given)
    problem.dlse.resize(c.batch * c.heads * c.nq);
  for (float &value : problem.dlse)
    value = random.normal();
  if (c.counting != Counting::None)
    setCounting(problem, c.counting);
  return problem;
}

AttentionResult<double> forwardOf(const BackwardProblem &problem, const BackwardCase &c) {
  if (c.counting == Counting::None)
    return reference::exact(problem.forward);
  AttentionResult<double> nothing;
  nothing.out.resize(problem.dout.size());
  nothing.lse.resize(c.batch * c.heads * c.nq);
  return nothing;
}

AttentionResult<float> rounded(const AttentionResult<double> &forward, DType dtype) {
  AttentionResult<float> result;
  result.lse.assign(forward.lse.begin(), forward.lse.end());
  auto round = rounding(dtype);
  for (double value : forward.out)
    result.out.push_back(round(static_cast<float>(value)));
  return result;
}

Tensors tensorsOf(const BackwardProblem &problem, const AttentionResult<float> &forward,
                  const BackwardCase &c) {
  const AttentionProblem &p = problem.forward;
  Tensors tensors;
  tensors.input("q", matrixSpec(c, c.heads, c.nq, c.headDim), p.q);
  tensors.input("k", matrixSpec(c, c.kvHeads, c.n, c.headDim), p.k);
  tensors.input("v", matrixSpec(c, c.kvHeads, c.n, c.valueDim), p.v);
  tensors.input("out", matrixSpec(c, c.heads, c.nq, c.valueDim), forward.out);
  tensors.input("lse", perRowSpec(c), forward.lse);
  tensors.input("dout", matrixSpec(c, c.heads, c.nq, c.valueDim), problem.dout);
  if (c.dlse == Dlse::Given)
    tensors.input("dlse", perRowSpec(c), problem.dlse);
  tensors.output("dq", matrixSpec(c, c.heads, c.nq, c.headDim));
  tensors.output("dk", matrixSpec(c, c.kvHeads, c.n, c.headDim));
  tensors.output("dv", matrixSpec(c, c.kvHeads, c.n, c.valueDim));
  return tensors;
}

AttentionBackwardCall callOf(const BackwardCase &c, const Tensors &tensors) {
  AttentionBackwardCall call{.q = tensors["q"].tensor(),
                             .k = tensors["k"].tensor(),
                             .v = tensors["v"].tensor(),
                             .out = tensors["out"].tensor(),
                             .dout = tensors["dout"].tensor(),
                             .lse = tensors["lse"].tensor(),
                             .dq = tensors["dq"].tensor(),
                             .dk = tensors["dk"].tensor(),
                             .dv = tensors["dv"].tensor()};
  if (c.dlse == Dlse::Given)
    call.dlse = tensors["dlse"].tensor();
  if (c.counting != Counting::None)
    call.scale = 1.0f;
  return call;
}

} // namespace sparsec
