#include "tools/verify/ops/forward/Problem.h"

#include "tools/verify/Random.h"

#include <fmt/format.h>

#include <cmath>

namespace sparsec {

using reference::AttentionProblem;

namespace {

std::vector<float> normals(Random &random, int64_t count, float scale) {
  std::vector<float> values(count);
  for (float &value : values)
    value = scale * random.normal();
  return values;
}

} // namespace

AttentionProblem makeProblem(const Pattern &pattern, const ForwardCase &c) {
  AttentionShape shape = c.shape();
  AttentionProblem p{.batch = c.batch,
                     .heads = c.heads,
                     .kvHeads = c.kvHeads,
                     .nq = c.nq,
                     .n = c.n,
                     .q0 = shape.q0,
                     .headDim = c.headDim,
                     .valueDim = c.valueDim,
                     .scale = 1.0f / std::sqrt(static_cast<float>(c.headDim))};
  for (const HeadEntry &entry : pattern.heads)
    p.attend.push_back(entry.attend);

  Random random(c.seed);
  float spread = c.inputs == Inputs::Normal ? 1.0f : 0.25f;
  p.q = normals(random, c.batch * c.heads * c.nq * c.headDim, spread);
  p.k = normals(random, c.batch * c.kvHeads * c.n * c.headDim, spread);
  p.v = normals(random, c.batch * c.kvHeads * c.n * c.valueDim, 1.0f);
  switch (c.inputs) {
  case Inputs::Normal:
    break;
  case Inputs::Peaked: // scale * q.k is about 100 (2 key / n - 1), and a little noise
    for (float &value : p.q)
      value += 1.0f;
    for (size_t i = 0; i < p.k.size(); ++i) {
      float key = static_cast<float>(i / c.headDim % c.n) / static_cast<float>(c.n);
      p.k[i] += 100.0f * (2.0f * key - 1.0f) * p.scale;
    }
    break;
  case Inputs::Count:
    p.q.assign(p.q.size(), 0.0f);
    for (size_t i = 0; i < p.v.size(); ++i)
      p.v[i] = static_cast<int64_t>(i) / c.valueDim % c.n % c.valueDim ==
                       static_cast<int64_t>(i) % c.valueDim
                   ? 1.0f
                   : 0.0f;
    break;
  }
  auto round = rounding(c.dtype);
  for (std::vector<float> *values : {&p.q, &p.k, &p.v})
    for (float &value : *values)
      value = round(value);
  return p;
}

TensorSpec matrixSpec(const ForwardCase &c, int64_t heads, int64_t rows, int64_t columns) {
  return {.extent = {c.batch, heads, rows},
          .columns = columns,
          .order = c.order,
          .gap = c.gap,
          .rowGap = c.rowGap,
          .dtype = c.dtype,
          .surround = c.surround};
}

TensorSpec perRowSpec(const ForwardCase &c) {
  return {
      .extent = {c.batch, c.heads, 1}, .columns = c.nq, .gap = c.rowGap, .surround = c.surround};
}

Tensors tensorsOf(const AttentionProblem &p, const ForwardCase &c) {
  Tensors tensors;
  tensors.input("q", matrixSpec(c, c.heads, c.nq, c.headDim), p.q);
  tensors.input("k", matrixSpec(c, c.kvHeads, c.n, c.headDim), p.k);
  tensors.input("v", matrixSpec(c, c.kvHeads, c.n, c.valueDim), p.v);
  tensors.output("out", matrixSpec(c, c.heads, c.nq, c.valueDim));
  if (c.lse == LseOutput::Wanted)
    tensors.output("lse", perRowSpec(c));
  else
    tensors.unasked("lse", perRowSpec(c));
  return tensors;
}

AttentionCall callOf(const ForwardCase &c, const Tensors &tensors) {
  AttentionCall call{.q = tensors["q"].tensor(),
                     .k = tensors["k"].tensor(),
                     .v = tensors["v"].tensor(),
                     .out = tensors["out"].tensor()};
  if (c.lse == LseOutput::Wanted)
    call.lse = tensors["lse"].tensor();
  return call;
}

Result<std::string> launch(Device &device, const Attention &attention, const ForwardCase &c,
                           const Heads &heads, const Tensors &tensors) {
  Result<AttentionPlan> plan = attention.prepare(c.shape(), heads);
  if (!plan)
    return plan.error();
  Result<Buffer> workspace = Buffer::allocate(device, plan->workspaceBytes());
  if (!workspace)
    return workspace.error();
  AttentionCall call = callOf(c, tensors);
  call.workspace = {.address = workspace->address(), .bytes = workspace->bytes()};
  if (Result<void> launched = attention.launch(*plan, call); !launched)
    return launched.error();
  Result<void> done = device.synchronize();
  return done ? "" : done.error().message;
}

Result<void> run(Device &device, const AttentionPart &part, const ForwardCase &c,
                 Tensors &tensors) {
  if (Result<void> uploaded = tensors.upload(device); !uploaded)
    return uploaded;
  Result<Attention> attention = Attention::load(device, {part});
  if (!attention)
    return attention.error();
  Result<std::string> fault = launch(device, *attention, c, {0, 1, c.heads}, tensors);
  if (!fault)
    return fault.error();
  if (!fault->empty())
    return internalError(*fault);
  return tensors.download(device);
}

} // namespace sparsec
