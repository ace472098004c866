// Launches of the C interface: tensors checked, then the plan's.
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
  std::optional<Error> wrong;

private:
  void take(const sparsec_tensor *given, const TensorExpectation &expected, Tensor &tensor) {
    if (wrong)
      return;
    Result<Tensor> taken = tensorOf(given, expected, context);
    if (taken)
      tensor = *taken;
    else
      wrong = taken.error();
  }
  const AttentionShape &shape;
  const ProgramParts &parts;
  CallContext context;
};

Result<void> checkLayout(int32_t layout) {
  if (layout == SPARSEC_BHSD || layout == SPARSEC_BSHD)
    return {};
  return inputError(fmt::format("call.layout: expected a sparsec_layout, found {}", layout));
}

Result<void> forward(const sparsec_plan *plan, const sparsec_forward_call *given) {
  if (auto ok = expectPointer(plan, "plan"); !ok)
    return ok;
  auto call = versioned(given, "call");
  if (!call)
    return call.error();
  const ProgramParts &parts = plan->program->parts();
  if (!parts.hasForward())
    return inputError("plan: its program was compiled without forward");
  if (auto ok = checkLayout(call->layout); !ok)
    return ok;
  Taker taker(*plan, call->layout);
  AttentionCall launch;
  taker.queries("q", call->q, parts.headDim, launch.q);
  taker.keys("k", call->k, parts.headDim, launch.k);
  taker.keys("v", call->v, parts.valueDim, launch.v);
  taker.queries("out", call->out, parts.valueDim, launch.out);
  if (call->lse)
    taker.rows("lse", call->lse, launch.lse);
  if (taker.wrong)
    return *taker.wrong;
  if (call->has_scale)
    launch.scale = call->scale;
  return plan->plan->forward(launch);
}

Result<void> backward(const sparsec_plan *plan, const sparsec_backward_call *given) {
  if (auto ok = expectPointer(plan, "plan"); !ok)
    return ok;
  auto call = versioned(given, "call");
  if (!call)
    return call.error();
  const ProgramParts &parts = plan->program->parts();
  if (!parts.hasBackward())
    return inputError("plan: its program was compiled without backward");
  if (auto ok = checkLayout(call->layout); !ok)
    return ok;
  Taker taker(*plan, call->layout);
  AttentionBackwardCall launch;
  taker.queries("q", call->q, parts.headDim, launch.q);
  taker.keys("k", call->k, parts.headDim, launch.k);
  taker.keys("v", call->v, parts.valueDim, launch.v);
  taker.queries("out", call->out, parts.valueDim, launch.out);
  taker.rows("lse", call->lse, launch.lse);
  taker.queries("dout", call->dout, parts.valueDim, launch.dout);
  if (call->dlse)
    taker.rows("dlse", call->dlse, launch.dlse);
  taker.queries("dq", call->dq, parts.headDim, launch.dq);
  taker.keys("dk", call->dk, parts.headDim, launch.dk);
  taker.keys("dv", call->dv, parts.valueDim, launch.dv);
  if (taker.wrong)
    return *taker.wrong;
  if (call->has_scale)
    launch.scale = call->scale;
  return plan->plan->backward(launch);
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
    *bytes = 0;
    return {};
  });
}

sparsec_status sparsec_forward(const sparsec_plan *plan, const sparsec_forward_call *call) {
  return guarded([&] { return forward(plan, call); });
}

sparsec_status sparsec_backward(const sparsec_plan *plan, const sparsec_backward_call *call) {
  return guarded([&] { return backward(plan, call); });
}
}
