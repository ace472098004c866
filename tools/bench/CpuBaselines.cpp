#include "tools/bench/CpuBaselines.h"

#include "tools/bench/BlasAttention.h"
#include "tools/bench/PeakFma.h"

namespace sparsec {
namespace {

struct BlasRow {
  BlasPart part;
  const char *name;
  const char *operation;
};
constexpr BlasRow kBlasRows[] = {
    {BlasPart::Attention, "openblas dense", "forward"},
    {BlasPart::Scores, "openblas sgemm q k^T", "matmul"},
    {BlasPart::Output, "openblas sgemm p v", "matmul"},
};

BlasProblem blasProblem(const ForwardTensors &tensors) {
  const ForwardProblem &problem = tensors.problem();
  const AttentionShape &shape = problem.shape;
  AttentionCall call = tensors.call();
  auto floats = [](const Tensor &tensor) {
    return reinterpret_cast<float *>(static_cast<uintptr_t>(tensor.address));
  };
  return {.batch = shape.batch,
          .heads = shape.heads,
          .kvHeads = shape.kvHeads,
          .nq = shape.nq,
          .n = shape.n,
          .headDim = problem.headDim,
          .valueDim = problem.valueDim,
          .q = floats(call.q),
          .k = floats(call.k),
          .v = floats(call.v),
          .out = floats(call.out),
          .lse = floats(call.lse)};
}

/// What the calls of OpenBLAS' rows own together.
struct BlasRun {
  OpenBlas blas;
  std::shared_ptr<Team> team;
  BlasAttention attention;

  BlasRun(OpenBlas opened, std::shared_ptr<Team> onTeam, const BlasProblem &problem)
      : blas(std::move(opened)), team(std::move(onTeam)), attention(blas, problem, team->size()) {}
};

} // namespace

CpuBaselines cpuBaselines(const ForwardTensors &tensors, int threads, Baselines wanted) {
  auto team = std::make_shared<Team>(threads);
  DType dtype = tensors.problem().dtype;
  PeakFma peak(dtype);
  CpuBaselines result{.peak = peak.instructions()};
  result.contestants.push_back({.kind = ContestantKind::Peak,
                                .pattern = "fma peak",
                                .operation = "fma",
                                .call = [peak, team]() -> Result<void> {
                                  peak.run(*team);
                                  return {};
                                },
                                .liveFlops = peak.flops(threads),
                                .computedFlops = peak.flops(threads)});
  if (wanted == Baselines::PeakOnly)
    return result;
  if (dtype != DType::F32) {
    result.blas = "OpenBLAS computes f32 alone: no rows of it";
    return result;
  }
  Result<OpenBlas> blas = OpenBlas::open();
  if (!blas) {
    result.blas = blas.error().message;
    return result;
  }
  result.blas = blas->description();
  auto run = std::make_shared<BlasRun>(std::move(*blas), team, blasProblem(tensors));
  for (const BlasRow &row : kBlasRows) {
    double flops = run->attention.flops(row.part);
    result.contestants.push_back(
        {.kind = ContestantKind::Baseline,
         .pattern = row.name,
         .operation = row.operation,
         .call = [run, part = row.part]() -> Result<void> {
           run->attention.run(*run->team, part);
           return {};
         },
         .liveFlops = flops,
         .computedFlops = flops,
         .ideal = row.part == BlasPart::Attention ? std::optional(1.0) : std::nullopt});
  }
  return result;
}

} // namespace sparsec
