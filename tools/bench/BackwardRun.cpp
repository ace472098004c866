#include "tools/bench/BackwardRun.h"

namespace sparsec {
namespace {

constexpr uint64_t kDoutSeed = 77; ///< beside the seeds of q, k and v

/// A buffer of its own with the same contents.
Result<Buffer> copyOf(Device &device, const Buffer &buffer) {
  std::vector<std::byte> image(buffer.bytes());
  if (auto copied = device.copyToHost(image.data(), buffer.address(), image.size()); !copied)
    return copied.error();
  return Buffer::upload(device, image);
}

/// Pairs in live blocks that a pass goes over.
Result<double> computedBy(const AttentionBackwardRequest &request, const Block &block,
                          const AttentionShape &shape, const Heads &heads) {
  auto numbers = launchNumbers(
      request.attend,
      {.nq = shape.nq, .nk = shape.n, .q0 = shape.q0, .blockQ = block.q, .blockK = block.k},
      request.queryOrder, request.keyOrder, heads);
  if (!numbers)
    return numbers.error();
  return static_cast<double>(numbers->counts.live) * block.q * block.k;
}

} // namespace

Result<BackwardTensors> BackwardTensors::allocate(Device &device, const ForwardTensors &forward) {
  const ForwardProblem &problem = forward.problem();
  const AttentionShape &shape = problem.shape;
  BackwardTensors tensors;
  tensors.forward = &forward;
  int64_t queryRows = shape.batch * shape.heads * shape.nq;
  int64_t keyRows = shape.batch * shape.kvHeads * shape.n;
  auto dout =
      randomBuffer(device, queryRows * problem.valueDim, problem.dtype, problem.seed + kDoutSeed);
  if (!dout)
    return dout.error();
  tensors.dout = std::move(*dout);
  for (auto [buffer, elements] : {std::pair{&tensors.dq, queryRows * problem.headDim},
                                  {&tensors.dk, keyRows * problem.headDim},
                                  {&tensors.dv, keyRows * problem.valueDim}}) {
    auto allocated = Buffer::allocate(device, static_cast<size_t>(elements * bytes(problem.dtype)));
    if (!allocated)
      return allocated.error();
    *buffer = std::move(*allocated);
  }
  return tensors;
}

AttentionBackwardCall BackwardTensors::call(const Buffer &out, const Buffer &lse) const {
  AttentionCall before = forward->call();
  auto like = [](Tensor tensor, const Buffer &buffer) {
    tensor.address = buffer.address();
    tensor.bytes = buffer.bytes();
    return tensor;
  };
  return {.q = before.q,
          .k = before.k,
          .v = before.v,
          .out = like(before.out, out),
          .dout = like(before.out, dout),
          .lse = like(before.lse, lse),
          .dlse = {},
          .dq = like(before.q, dq),
          .dk = like(before.k, dk),
          .dv = like(before.v, dv),
          .scale = {}};
}

double BackwardWork::liveFlops(const ForwardProblem &problem) const {
  return 2.0 * (3 * problem.headDim + 2 * problem.valueDim) * elements;
}

double BackwardWork::computedFlops(const ForwardProblem &problem) const {
  return 2.0 * (2 * problem.headDim + problem.valueDim) * computedQueries +
         2.0 * (2 * problem.headDim + 2 * problem.valueDim) * computedKeys;
}

Result<BackwardRun> BackwardRun::load(Device &device, const Pattern &pattern,
                                      std::vector<BackwardEntry> entries, ForwardRun &forward,
                                      const ForwardTensors &forwardTensors,
                                      const BackwardTensors &tensors) {
  const AttentionShape &shape = tensors.problem().shape;
  auto batch = static_cast<double>(shape.batch);
  BackwardRun run;
  run.tensors = &tensors;
  run.total.elements = forward.work().elements;
  run.total.pairs = forward.work().pairs;
  for (size_t i = 0; i < entries.size(); ++i) {
    BackwardEntry &entry = entries[i];
    Heads heads = headsOfEntry(static_cast<int64_t>(i), static_cast<int64_t>(pattern.heads.size()),
                               shape.heads);
    if (heads.count == 0)
      continue;
    for (auto [parts, computed] : {std::pair{&entry.queries, &run.total.computedQueries},
                                   {&entry.keys, &run.total.computedKeys}})
      for (const BackwardPart &part : *parts) {
        auto pairs = computedBy(part.request, part.kernels.back().block, shape, heads);
        if (!pairs)
          return pairs.error();
        *computed += batch * *pairs;
      }
  }
  if (auto launched = forward.enqueue(); !launched)
    return launched.error();
  if (auto done = device.synchronize(); !done)
    return done.error();
  for (auto [copy, from] : {std::pair{&run.out, &forwardTensors.outBuffer()},
                            {&run.lse, &forwardTensors.lseBuffer()}}) {
    auto copied = copyOf(device, *from);
    if (!copied)
      return copied.error();
    *copy = std::move(*copied);
  }
  auto loaded = AttentionBackward::load(device, std::move(entries));
  if (!loaded)
    return loaded.error();
  auto plan = loaded->prepare(shape);
  if (!plan)
    return plan.error();
  auto workspace = Buffer::allocate(device, plan->workspaceBytes());
  if (!workspace)
    return workspace.error();
  run.backward = std::move(*loaded);
  run.plan = std::move(*plan);
  run.workspace = std::move(*workspace);
  return run;
}

Result<void> BackwardRun::enqueue() {
  AttentionBackwardCall call = tensors->call(out, lse);
  call.workspace = {.address = workspace.address(), .bytes = workspace.bytes()};
  return backward->launch(*plan, call);
}

} // namespace sparsec
