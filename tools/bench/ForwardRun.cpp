#include "tools/bench/ForwardRun.h"

#include "runtime/Float16.h"
#include "tools/verify/Random.h"

#include <cstring>

namespace sparsec {

Result<Buffer> randomBuffer(Device &device, int64_t elements, DType dtype, uint64_t seed) {
  // A period of random numbers is enough: what counts is that the bits vary as real ones do.
  constexpr int64_t kPeriod = 1 << 20;
  std::vector<std::byte> image(static_cast<size_t>(elements * bytes(dtype)));
  Random random(seed);
  int64_t distinct = std::min(elements, kPeriod);
  for (int64_t i = 0; i < distinct; ++i) {
    float value = random.normal();
    std::byte *at = image.data() + i * bytes(dtype);
    switch (dtype) {
    case DType::F32:
      std::memcpy(at, &value, 4);
      break;
    case DType::F16: {
      uint16_t half = floatToF16(value);
      std::memcpy(at, &half, 2);
      break;
    }
    case DType::BF16: {
      uint16_t half = floatToBf16(value);
      std::memcpy(at, &half, 2);
      break;
    }
    }
  }
  for (int64_t i = distinct; i < elements; i += kPeriod)
    std::memcpy(image.data() + i * bytes(dtype), image.data(),
                static_cast<size_t>(std::min(kPeriod, elements - i) * bytes(dtype)));
  return Buffer::upload(device, image);
}

namespace {

Tensor dense(const Buffer &buffer, int64_t heads, int64_t rows, int64_t columns) {
  return {.address = buffer.address(),
          .bytes = buffer.bytes(),
          .stride = {heads * rows * columns, rows * columns, columns}};
}

} // namespace

Result<ForwardTensors> ForwardTensors::allocate(Device &device, const ForwardProblem &problem) {
  const AttentionShape &shape = problem.shape;
  ForwardTensors tensors;
  tensors.asked = problem;
  int64_t queryRows = shape.batch * shape.heads * shape.nq;
  int64_t keyRows = shape.batch * shape.kvHeads * shape.n;
  struct Wanted {
    Buffer *buffer;
    int64_t elements;
  };
  uint64_t seed = problem.seed;
  for (Wanted each : {Wanted{&tensors.q, queryRows * problem.headDim},
                      {&tensors.k, keyRows * problem.headDim},
                      {&tensors.v, keyRows * problem.valueDim}}) {
    Result<Buffer> filled = randomBuffer(device, each.elements, problem.dtype, ++seed);
    if (!filled)
      return filled.error();
    *each.buffer = std::move(*filled);
  }
  Result<Buffer> out = Buffer::allocate(
      device, static_cast<size_t>(queryRows * problem.valueDim * bytes(problem.dtype)));
  if (!out)
    return out.error();
  tensors.out = std::move(*out);
  Result<Buffer> lse = Buffer::allocate(device, static_cast<size_t>(queryRows) * sizeof(float));
  if (!lse)
    return lse.error();
  tensors.lse = std::move(*lse);
  return tensors;
}

AttentionCall ForwardTensors::call() const {
  const AttentionShape &shape = asked.shape;
  return {.q = dense(q, shape.heads, shape.nq, asked.headDim),
          .k = dense(k, shape.kvHeads, shape.n, asked.headDim),
          .v = dense(v, shape.kvHeads, shape.n, asked.valueDim),
          .out = dense(out, shape.heads, shape.nq, asked.valueDim),
          .lse = dense(lse, shape.heads, shape.nq, 1),
          .scale = {}};
}

/// Pairs of an entry that attend, over its heads.
static Result<double> elementsOf(const Expr &attend, const AttentionShape &shape,
                                 const Heads &heads) {
  bool apart = mentions(attend, Op::Head);
  double elements = 0;
  for (int64_t y = 0; y < (apart ? heads.count : 1); ++y) {
    Result<int64_t> found = countElements(
        attend, {.nq = shape.nq, .nk = shape.n, .q0 = shape.q0, .h = heads.first + y * heads.step});
    if (!found)
      return found.error();
    elements += static_cast<double>(*found);
  }
  return elements * static_cast<double>(apart ? 1 : heads.count);
}

Result<ForwardRun> ForwardRun::load(Device &device, const Pattern &pattern,
                                    std::vector<std::vector<AttentionPart>> entries,
                                    const ForwardTensors &tensors) {
  const AttentionShape &shape = tensors.problem().shape;
  ForwardRun run;
  for (size_t entry = 0; entry < pattern.heads.size(); ++entry) {
    Heads heads = headsOfEntry(static_cast<int64_t>(entry),
                               static_cast<int64_t>(pattern.heads.size()), shape.heads);
    if (heads.count == 0)
      continue;
    Result<Attention> attention = Attention::load(device, std::move(entries[entry]));
    if (!attention)
      return attention.error();
    Result<AttentionPlan> plan = attention->prepare(shape, heads);
    if (!plan)
      return plan.error();
    Result<Buffer> workspace = Buffer::allocate(device, plan->workspaceBytes());
    if (!workspace)
      return workspace.error();
    Block block = attention->kernel().block;
    double batch = static_cast<double>(shape.batch);
    Result<double> elements = elementsOf(pattern.heads[entry].attend, shape, heads);
    if (!elements)
      return elements.error();
    run.total.elements += batch * *elements;
    run.total.computed += batch * static_cast<double>(plan->blocks().live) * block.q * block.k;
    run.total.pairs += batch * static_cast<double>(heads.count) * static_cast<double>(shape.nq) *
                       static_cast<double>(shape.n);
    AttentionCall call = tensors.call();
    call.workspace = {.address = workspace->address(), .bytes = workspace->bytes()};
    run.parts.push_back({std::move(*attention), std::move(*plan), std::move(*workspace), call});
  }
  return run;
}

Result<void> ForwardRun::enqueue() {
  for (Part &part : parts)
    if (Result<void> ok = part.attention.launch(part.plan, part.call); !ok)
      return ok;
  return {};
}

} // namespace sparsec
