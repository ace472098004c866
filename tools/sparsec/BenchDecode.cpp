#include "tools/sparsec/BenchDecode.h"

#include "codegen/ChooseSchedule.h"
#include "codegen/Compiler.h"

#include <algorithm>
#include <chrono>

namespace sparsec::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// The kernels of a layer's entries, and what their call computes.
struct DecodeRun {
  struct Entry {
    AttentionDecode decode;
    AttentionDecodePlan plan;
    AttentionDecodeCall call;
    Buffer workspace;
  };
  std::vector<Entry> entries;
  Buffer lengths;
  double elements = 0, computed = 0; ///< pairs, over heads and batch
  double compileMs = 0;

  Result<void> enqueue() {
    for (Entry &entry : entries)
      if (Result<void> ok = entry.decode.launch(entry.plan, entry.call); !ok)
        return ok;
    return {};
  }
};

Expr ownAndEarlier(const Expr &attend, int64_t n, const Heads &heads) {
  if (checkDecodable(attend, n, heads))
    return attend;
  Expr causal = make(Op::LessEqual, {leaf(Op::Key), leaf(Op::Query)});
  return simplify(make(Op::And, {attend, causal}));
}

/// Pairs of the last query that attend, and in live blocks.
Result<void> count(DecodeRun &run, const AttentionDecodeRequest &part, const Block &block,
                   const AttentionShape &shape, const Heads &heads) {
  LayoutRequest last{
      .nq = 1, .nk = shape.n, .q0 = shape.n - 1, .h = heads.first, .blockQ = 1, .blockK = block.k};
  Result<Order> queries = Order::make(NaturalOrder{}, 1, 1);
  Result<Order> keys = Order::make(part.keyOrder, shape.n, block.k);
  if (!queries || !keys)
    return queries ? keys.error() : queries.error();
  Result<BlockLayout> layout = BlockLayout::build(part.attend, last, *queries, *keys);
  if (!layout)
    return layout.error();
  auto copies = static_cast<double>(heads.count * shape.batch);
  Result<int64_t> elements = countElements(part.attend, last);
  if (!elements)
    return elements.error();
  run.elements += copies * static_cast<double>(*elements);
  run.computed += copies * static_cast<double>(layout->counts().live) * block.k;
  return {};
}

Result<void> addEntry(DecodeRun &run, Device &device, const Plan &plan, int entry,
                      const Heads &heads, const ForwardTensors &tensors) {
  const ForwardProblem &problem = tensors.problem();
  const AttentionShape &shape = problem.shape;
  const HeadEntry &head = plan.loaded.pattern.heads[static_cast<size_t>(entry)];
  AttentionDecodeRequest request{.entry = "decode_" + plan.headNames[static_cast<size_t>(entry)],
                                 .attend = ownAndEarlier(simplify(head.attend), shape.n, heads),
                                 .dtype = problem.dtype,
                                 .headDim = problem.headDim,
                                 .valueDim = problem.valueDim,
                                 .target = targetOf(device)};
  request.block.k = head.schedule.block.k;
  auto schedule = chooseSchedule(ScheduleRequest(
      request, {.schedule = head.schedule, .n = shape.n, .h = heads.first, .copies = heads.count}));
  if (!schedule)
    return schedule.error();
  std::vector<DecodePart> parts;
  for (AttentionDecodeRequest &part : schedule->parts) {
    auto begin = Clock::now();
    auto kernels = compile(part);
    if (!kernels)
      return kernels.error();
    std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    run.compileMs = std::max(run.compileMs, took.count());
    if (Result<void> ok = count(run, part, kernels->front().block, shape, heads); !ok)
      return ok;
    parts.push_back({std::move(part), std::move(*kernels)});
  }
  auto decode = AttentionDecode::load(device, std::move(parts));
  if (!decode)
    return decode.error();
  AttentionCall like = tensors.call();
  auto ready = decode->prepare({.batch = shape.batch,
                                .heads = shape.heads,
                                .kvHeads = shape.kvHeads,
                                .nq = 1,
                                .most = shape.n},
                               heads);
  if (!ready)
    return ready.error();
  auto workspace = Buffer::allocate(device, ready->workspaceBytes());
  if (!workspace)
    return workspace.error();
  AttentionDecodeCall call{
      .q = like.q,
      .k = like.k,
      .v = like.v,
      .out = like.out,
      .lse = {},
      .lengths = {.address = run.lengths.address(),
                  .bytes = run.lengths.bytes(),
                  .stride = {shape.batch, shape.batch, shape.batch}},
      .scale = {},
      .workspace = {.address = workspace->address(), .bytes = workspace->bytes()}};
  run.entries.push_back({std::move(*decode), std::move(*ready), call, std::move(*workspace)});
  return {};
}

} // namespace

Result<Contestant> decodeContestant(Device &device, const Plan &plan, const Layer &layer,
                                    const ForwardTensors &tensors) {
  const ForwardProblem &problem = tensors.problem();
  const AttentionShape &shape = problem.shape;
  auto run = std::make_shared<DecodeRun>();
  std::vector<int32_t> lengths(static_cast<size_t>(shape.batch), static_cast<int32_t>(shape.n));
  Result<Buffer> uploaded = Buffer::upload(device, std::as_bytes(std::span(lengths)));
  if (!uploaded)
    return uploaded.error();
  run->lengths = std::move(*uploaded);
  for (const auto &[entry, heads] : usesOf(layer, shape.heads)) {
    if (heads.count == 0)
      continue;
    if (Result<void> ok = addEntry(*run, device, plan, entry, heads, tensors); !ok)
      return ok.error();
  }
  double flopsPerPair = 2.0 * (problem.headDim + problem.valueDim);
  Contestant one{.kind = ContestantKind::Kernel,
                 .pattern = plan.loaded.pattern.name,
                 .layers = plan.loaded.layers.size() > 1 ? layer.indices : std::vector<int64_t>(),
                 .operation = std::string(AttentionDecodeRequest::kOperation),
                 .call = [run] { return run->enqueue(); },
                 .liveFlops = run->elements * flopsPerPair,
                 .computedFlops = run->computed * flopsPerPair,
                 .compileMs = run->compileMs};
  if (run->elements > 0)
    one.ideal = static_cast<double>(shape.batch * shape.heads * shape.n) / run->elements;
  return one;
}

} // namespace sparsec::cli
