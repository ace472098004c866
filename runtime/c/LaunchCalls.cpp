// Launches of the C interface: tensors checked, then the program's.
#include "runtime/c/Boundary.h"
#include "runtime/c/CallTensors.h"

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
  void dense(const char *name, const sparsec_tensor *given, uint8_t code,
             std::initializer_list<int64_t> extent, Tensor &tensor) {
    if (wrong)
      return;
    Result<Tensor> taken = denseOf(given, name, code, {extent.begin(), extent.size()}, context);
    if (!taken) {
      wrong = taken.error();
      return;
    }
    tensor = *taken;
    operands[count++] = {name, tensor, {1, 1, 1}, static_cast<int64_t>(tensor.bytes / 4), 4, 4};
  }
  int64_t batch() const { return shape.batch; }
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

/// What attention is of, and gives.
template <class Given, class Call>
void takeAttention(const Given &given, const ProgramParts &parts, Taker &taker, Call &call) {
  taker.queries("q", given.q, parts.headDim, call.q);
  taker.keys("k", given.k, parts.headDim, call.k);
  taker.keys("v", given.v, parts.valueDim, call.v);
  taker.queries("out", given.out, parts.valueDim, call.out);
}

/// An operation: what it is given and launches, and what a program has of it.
template <class GivenCall, class LaunchedCall, auto isCompiled, auto run>
struct LaunchOf {
  using Given = GivenCall;
  using Call = LaunchedCall;
  static constexpr auto kIsCompiled = isCompiled;
  static constexpr auto kRun = run;
};

struct ForwardLaunch
    : LaunchOf<sparsec_forward_call, AttentionCall, &ProgramParts::hasForward, &Program::forward> {
  static constexpr const char *kName = "forward";
  static constexpr auto kWork = &ProgramPlan::forwardWork;

  /// All tensors; how many of the last it writes.
  static size_t take(const Given &given, const ProgramPlan &, const ProgramParts &parts,
                     Taker &taker, Call &call) {
    takeAttention(given, parts, taker, call);
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

  static size_t take(const Given &given, const ProgramPlan &, const ProgramParts &parts,
                     Taker &taker, Call &call) {
    takeAttention(given, parts, taker, call);
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

/// Its work depends on lengths that the host does not know.
struct DecodeLaunch : LaunchOf<sparsec_decode_call, AttentionDecodeCall, &ProgramParts::hasDecode,
                               &Program::decode> {
  static constexpr const char *kName = "decode";

  static size_t take(const Given &given, const ProgramPlan &, const ProgramParts &parts,
                     Taker &taker, Call &call) {
    taker.dense("lengths", given.lengths, SPARSEC_DL_INT, {taker.batch()}, call.lengths);
    takeAttention(given, parts, taker, call);
    if (!given.lse)
      return 1;
    taker.rows("lse", given.lse, call.lse);
    return 2;
  }
};

struct MassLaunch
    : LaunchOf<sparsec_mass_call, AttentionMassCall, &ProgramParts::hasMass, &Program::mass> {
  static constexpr const char *kName = "mass";

  static size_t take(const Given &given, const ProgramPlan &plan, const ProgramParts &parts,
                     Taker &taker, Call &call) {
    auto blocks = static_cast<int64_t>(plan.massBlocks());
    taker.queries("q", given.q, parts.headDim, call.q);
    taker.keys("k", given.k, parts.headDim, call.k);
    taker.rows("lse", given.lse, call.lse);
    taker.dense("mass", given.mass, SPARSEC_DL_FLOAT, {taker.batch(), blocks}, call.mass);
    taker.dense("squares", given.squares, SPARSEC_DL_FLOAT, {taker.batch(), blocks}, call.squares);
    return 2;
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
  size_t written = Launch::take(*given, *plan->plan, parts, taker, call);
  if (auto ok = taker.checkApart(written); !ok)
    return ok;
  if (auto launched = (*plan->program.*Launch::kRun)(*plan->plan, call); !launched)
    return launched;
  if constexpr (requires { Launch::kWork; })
    return fill(given->counters, (*plan->plan.*Launch::kWork)());
  else
    return {};
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
    switch (operation) {
    case SPARSEC_FORWARD:
      *bytes = plan->plan->forwardWorkspace();
      return {};
    case SPARSEC_BACKWARD:
      *bytes = plan->plan->backwardWorkspace();
      return {};
    case SPARSEC_DECODE:
      *bytes = plan->plan->decodeWorkspace();
      return {};
    case SPARSEC_MASS:
      *bytes = plan->plan->massWorkspace();
      return {};
    default:
      return inputError(fmt::format("operation: expected SPARSEC_FORWARD, SPARSEC_BACKWARD, "
                                    "SPARSEC_DECODE or SPARSEC_MASS, found {}",
                                    operation));
    }
  });
}

sparsec_status sparsec_forward(const sparsec_plan *plan, const sparsec_forward_call *call) {
  return guarded([&] { return launch<ForwardLaunch>(plan, call); });
}

sparsec_status sparsec_decode(const sparsec_plan *plan, const sparsec_decode_call *call) {
  return guarded([&] { return launch<DecodeLaunch>(plan, call); });
}

sparsec_status sparsec_mass(const sparsec_plan *plan, const sparsec_mass_call *call) {
  return guarded([&] { return launch<MassLaunch>(plan, call); });
}

sparsec_status sparsec_mass_blocks(const sparsec_plan *plan, sparsec_block *blocks, size_t *count) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(plan, "plan"); !ok)
      return ok;
    if (auto ok = expectPointer(count, "count"); !ok)
      return ok;
    size_t all = plan->plan->massBlocks();
    if (blocks && *count < all)
      return inputError(fmt::format("count: expected room for {} blocks, found {}", all, *count));
    *count = all;
    if (!blocks)
      return {};
    for (const AttentionMassPlan &entry : plan->plan->massPlans())
      for (const MassBlock &each : entry.blocks())
        *blocks++ = {each.head, each.row, each.column};
    return {};
  });
}

sparsec_status sparsec_backward(const sparsec_plan *plan, const sparsec_backward_call *call) {
  return guarded([&] { return launch<BackwardLaunch>(plan, call); });
}
}
