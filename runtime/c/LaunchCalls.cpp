// Launches of the C interface: tensors checked, then the program's.
#include "runtime/c/Boundary.h"
#include "runtime/c/CallTensors.h"

#include <cmath>
#include <fmt/format.h>

namespace sparsec {
namespace {

/// Takes the tensors of a call one by one, up to the first that is wrong.
class Taker {
public:
  Taker(const sparsec_plan &plan, int32_t layout)
      : shape(plan.plan->shape()),
        parts(plan.program->parts()), context{plan.dlpackType, plan.dlpackId, layout} {}

  void queries(const char *name, const sparsec_tensor *given, int columns, Tensor &tensor) {
    take(given, {name, parts.dtype, shape.batch, shape.heads, shape.nq, columns}, tensor);
  }
  void keys(const char *name, const sparsec_tensor *given, int columns, Tensor &tensor) {
    take(given, {name, parts.dtype, shape.batch, shape.kvHeads, shape.n, columns}, tensor);
  }
  void rows(const char *name, const sparsec_tensor *given, Tensor &tensor) {
    take(given, {name, DType::F32, shape.batch, shape.heads, shape.nq, 0}, tensor);
  }
  /// That what was taken last, `written` of them, overlaps nothing else.
  Result<void> checkApart(size_t written) const {
    if (wrong)
      return *wrong;
    for (size_t i = count - written; i < count; ++i)
      for (size_t other = 0; other < i; ++other)
        if (auto ok = sparsec::checkApart(operands[i], operands[other]); !ok)
          return ok;
    return {};
  }

private:
  void take(const sparsec_tensor *given, const TensorExpectation &expected, Tensor &tensor) {
    if (wrong)
      return;
    Result<Tensor> taken = tensorOf(given, expected, context);
    if (!taken) {
      wrong = taken.error();
      return;
    }
    tensor = *taken;
    bool isRows = expected.columns != 0;
    operands[count++] = {expected.name,
                         tensor,
                         {expected.batch, expected.heads, isRows ? expected.rows : 1},
                         isRows ? expected.columns : expected.rows,
                         bytes(expected.dtype),
                         16};
  }

  /// An Operand that can be assigned.
  struct Taken {
    const char *name = "";
    Tensor tensor;
    std::array<int64_t, 3> extent = {};
    int64_t columns = 0;
    int elementBytes = 4, alignment = 16;
    operator Operand() const { return {name, tensor, extent, columns, elementBytes, alignment}; }
  };
  const AttentionShape &shape;
  const ProgramParts &parts;
  CallContext context;
  std::array<Taken, 10> operands;
  size_t count = 0;
  std::optional<Error> wrong;
};

/// What every call has beside its tensors.
template <class Given, class Call>
Result<void> takeCommon(const Given &given, Call &call) {
  if (given.layout != SPARSEC_BHSD && given.layout != SPARSEC_BSHD)
    return inputError(
        fmt::format("call.layout: expected a sparsec_layout, found {}", given.layout));
  if (given.has_scale && !std::isfinite(given.scale))
    return inputError(fmt::format("call.scale: expected a finite number, found {}", given.scale));
  if (given.has_scale)
    call.scale = given.scale;
  call.stream = given.stream;
  call.workspace = {.address = reinterpret_cast<DeviceAddress>(given.workspace),
                    .bytes = given.workspace_bytes};
  return {};
}

Result<void> fill(sparsec_counters *given, const WorkCounts &work) {
  if (!given)
    return {};
  auto counters = versioned(given, "call.counters");
  if (!counters)
    return counters.error();
  counters->executed = work.live;
  counters->skipped = work.all - work.live;
  counters->full = work.full;
  size_t size = given->size;
  std::memcpy(given, &*counters, std::min(size, sizeof *given));
  given->size = size;
  return {};
}

/// An operation: what it is given and launches, and what a program and a plan have of it.
template <class GivenCall, class LaunchedCall, auto isCompiled, auto run, auto work>
struct LaunchOf {
  using Given = GivenCall;
  using Call = LaunchedCall;
  static constexpr auto kIsCompiled = isCompiled;
  static constexpr auto kRun = run;
  static constexpr auto kWork = work;
};

struct ForwardLaunch : LaunchOf<sparsec_forward_call, AttentionCall, &ProgramParts::hasForward,
                                &Program::forward, &ProgramPlan::forwardWork> {
  static constexpr const char *kName = "forward";

  /// After q, k, v and out; how many of the last it writes.
  static size_t takeRest(const Given &given, const ProgramParts &, Taker &taker, Call &call) {
    if (!given.lse)
      return 1;
    taker.rows("lse", given.lse, call.lse);
    return 2;
  }
};

struct BackwardLaunch
    : LaunchOf<sparsec_backward_call, AttentionBackwardCall, &ProgramParts::hasBackward,
               &Program::backward, &ProgramPlan::backwardWork> {
  static constexpr const char *kName = "backward";

  static size_t takeRest(const Given &given, const ProgramParts &parts, Taker &taker, Call &call) {
    taker.rows("lse", given.lse, call.lse);
    taker.queries("dout", given.dout, parts.valueDim, call.dout);
    if (given.dlse)
      taker.rows("dlse", given.dlse, call.dlse);
    taker.queries("dq", given.dq, parts.headDim, call.dq);
    taker.keys("dk", given.dk, parts.headDim, call.dk);
    taker.keys("dv", given.dv, parts.valueDim, call.dv);
    return 3;
  }
};

template <class Launch>
Result<void> launch(const sparsec_plan *plan, const typename Launch::Given *asGiven) {
  if (auto ok = expectPointer(plan, "plan"); !ok)
    return ok;
  auto given = versioned(asGiven, "call");
  if (!given)
    return given.error();
  const ProgramParts &parts = plan->program->parts();
  if (!(parts.*Launch::kIsCompiled)())
    return inputError(fmt::format("plan: its program was compiled without {}", Launch::kName));
  typename Launch::Call call;
  if (auto ok = takeCommon(*given, call); !ok)
    return ok;
  Taker taker(*plan, given->layout);
  taker.queries("q", given->q, parts.headDim, call.q);
  taker.keys("k", given->k, parts.headDim, call.k);
  taker.keys("v", given->v, parts.valueDim, call.v);
  taker.queries("out", given->out, parts.valueDim, call.out);
  size_t written = Launch::takeRest(*given, parts, taker, call);
  if (auto ok = taker.checkApart(written); !ok)
    return ok;
  if (auto launched = (*plan->program.*Launch::kRun)(*plan->plan, call); !launched)
    return launched;
  return fill(given->counters, (*plan->plan.*Launch::kWork)());
}

} // namespace
} // namespace sparsec

using namespace sparsec;

extern "C" {

sparsec_status sparsec_workspace_size(const sparsec_plan *plan, int32_t operation, size_t *bytes) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(plan, "plan"); !ok)
      return ok;
    if (auto ok = expectPointer(bytes, "bytes"); !ok)
      return ok;
    if (operation != SPARSEC_FORWARD && operation != SPARSEC_BACKWARD)
      return inputError(fmt::format(
          "operation: expected SPARSEC_FORWARD or SPARSEC_BACKWARD, found {}", operation));
    *bytes = operation == SPARSEC_FORWARD ? plan->plan->forwardWorkspace()
                                          : plan->plan->backwardWorkspace();
    return {};
  });
}

sparsec_status sparsec_forward(const sparsec_plan *plan, const sparsec_forward_call *call) {
  return guarded([&] { return launch<ForwardLaunch>(plan, call); });
}

sparsec_status sparsec_backward(const sparsec_plan *plan, const sparsec_backward_call *call) {
  return guarded([&] { return launch<BackwardLaunch>(plan, call); });
}
}
