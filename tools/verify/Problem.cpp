#include "tools/verify/Problem.h"

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

AttentionProblem makeProblem(const Pattern &pattern, const VerifyCase &c) {
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
  case Inputs::Peaked: // scale * q.k is about 40 (2 key / n - 1), and a little noise
    for (float &value : p.q)
      value += 1.0f;
    for (size_t i = 0; i < p.k.size(); ++i) {
      float key = static_cast<float>(i / c.headDim % c.n) / static_cast<float>(c.n);
      p.k[i] += 40.0f * (2.0f * key - 1.0f) * p.scale;
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

namespace {

TensorSpec spec(const VerifyCase &c, int64_t heads, int64_t rows, int64_t columns) {
  return {.extent = {c.batch, heads, rows},
          .columns = columns,
          .order = c.order,
          .gap = c.gap,
          .rowGap = c.rowGap,
          .dtype = c.dtype,
          .surround = c.surround};
}

} // namespace

Tensors::Tensors(const AttentionProblem &p, const VerifyCase &c)
    : q(spec(c, c.heads, c.nq, c.headDim)), k(spec(c, c.kvHeads, c.n, c.headDim)),
      v(spec(c, c.kvHeads, c.n, c.valueDim)), out(spec(c, c.heads, c.nq, c.valueDim)),
      lse({.extent = {c.batch, c.heads, 1},
           .columns = c.nq,
           .gap = c.rowGap,
           .surround = c.surround}) {
  q.set(p.q);
  k.set(p.k);
  v.set(p.v);
}

Result<void> Tensors::upload(Device &device) {
  for (HostTensor *tensor : {&q, &k, &v, &out, &lse})
    if (Result<void> done = tensor->upload(device); !done)
      return done;
  return {};
}

Result<void> Tensors::download(Device &device) {
  Result<void> done = out.download(device);
  return done ? lse.download(device) : done;
}

AttentionCall Tensors::call(const VerifyCase &c, const Heads &heads) const {
  AttentionCall call{.shape = c.shape(),
                     .heads = heads,
                     .q = q.tensor(),
                     .k = k.tensor(),
                     .v = v.tensor(),
                     .out = out.tensor()};
  if (c.lse == LseOutput::Wanted)
    call.lse = lse.tensor();
  return call;
}

Result<std::string> Tensors::inspect(const VerifyCase &c, Device &device) const {
  for (auto [name, tensor] : {std::pair{"q", &q}, {"k", &k}, {"v", &v}}) {
    Result<bool> same = tensor->unchanged(device);
    if (!same)
      return same.error();
    if (!*same)
      return fmt::format("{} was written to", name);
  }
  for (auto [name, tensor] : {std::pair{"out", &out}, {"lse", &lse}}) {
    if (std::optional<int64_t> at = tensor->firstOverwritten())
      return fmt::format("{}: byte {} outside of the tensor was written to", name, *at);
    HostTensor::Unwritten missing = tensor->unwritten();
    if (tensor == &lse && c.lse == LseOutput::NotWanted) {
      if (missing.count != tensor->size())
        return std::string("lse was written to and not asked for");
    } else if (missing.count) {
      return fmt::format("{}: {} of {} elements were not written, the first is element {}", name,
                         missing.count, tensor->size(), missing.first);
    }
  }
  return std::string();
}

Result<void> Tensors::run(Device &device, const AttentionPart &part, const VerifyCase &c) {
  if (Result<void> uploaded = upload(device); !uploaded)
    return uploaded;
  Result<Attention> attention = Attention::load(device, {part});
  if (!attention)
    return attention.error();
  if (Result<void> launched = attention->launch(call(c, {0, 1, c.heads})); !launched)
    return launched;
  if (Result<void> done = device.synchronize(); !done)
    return done;
  return download(device);
}

} // namespace sparsec
