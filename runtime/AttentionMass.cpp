#include "runtime/AttentionMass.h"

#include <fmt/format.h>

#include <cmath>

namespace sparsec {

AttentionMass::Slots::Slots(const Kernel &kernel) {
  const Signature &signature = kernel.signature;
  for (auto [view, name] :
       {std::pair{&q, "q"}, {&k, "k"}, {&lse, "lse"}, {&mass, "mass"}, {&squares, "squares"}})
    *view = ViewSlot(signature, name);
  for (auto [slot, name] : {std::pair{&blocks, "blocks"},
                            {&perBatch, "per_batch"},
                            {&n, "n"},
                            {&nq, "nq"},
                            {&q0, "q0"},
                            {&headGroup, "head_group"},
                            {&scale, "scale"}})
    *slot = Slot(signature, name);
  items = Slot(signature, kernel.grid.order);
}

Result<AttentionMass> AttentionMass::load(Device &device, std::vector<Kernel> kernels,
                                          AttentionMassRequest request) {
  if (kernels.size() != 1)
    return internalError("expected the kernel of block sums");
  AttentionMass made;
  made.device = &device;
  made.kernel = std::move(kernels[0]);
  made.asked = std::move(request);
  made.asked.block = made.kernel.block; // where the compiler chose it
  Result<std::unique_ptr<Executable>> executable = device.load(made.kernel.code, made.kernel.entry);
  if (!executable)
    return executable.error();
  made.executable = std::move(*executable);
  made.slots = Slots(made.kernel);
  return made;
}

Result<AttentionMassPlan> AttentionMass::prepare(const AttentionShape &shape,
                                                 const Heads &heads) const {
  if (Result<void> ok = checkShape(shape, heads); !ok)
    return ok.error();
  AttentionMassPlan plan;
  plan.asked = shape;
  plan.scratch = device->scratchBytes(*executable);
  if (heads.count == 0 || shape.nq == 0)
    return plan;
  Result<std::vector<MassBlock>> live =
      massBlocks(asked, {.nq = shape.nq, .nk = shape.n, .q0 = shape.q0}, heads);
  if (!live)
    return live.error();
  if (auto all = std::ssize(*live) * shape.batch; all > INT32_MAX)
    return inputError(
        fmt::format("expected at most 2^31 - 1 blocks in all batches, found {}", all));
  plan.list = std::move(*live);
  static_assert(sizeof(MassBlock) == 3 * sizeof(int32_t));
  Result<Buffer> made = Buffer::upload(*device, std::as_bytes(std::span(plan.list)));
  if (!made)
    return made.error();
  plan.uploaded = std::move(*made);
  return plan;
}

Result<void> AttentionMass::launch(const AttentionMassPlan &plan,
                                   const AttentionMassCall &call) const {
  const AttentionShape &shape = plan.asked;
  auto perBatch = static_cast<int64_t>(plan.list.size());
  if (perBatch == 0 || shape.batch == 0)
    return {};
  int element = bytes(asked.dtype);
  for (const Operand &operand :
       {Operand{"q", call.q, {shape.batch, shape.heads, shape.nq}, asked.headDim, element, 16},
        Operand{"k", call.k, {shape.batch, shape.kvHeads, shape.n}, asked.headDim, element, 16},
        Operand{"lse", call.lse, {shape.batch, shape.heads, 1}, shape.nq, 4, 4},
        Operand{"mass", call.mass, {1, 1, 1}, shape.batch * perBatch, 4, 4},
        Operand{"squares", call.squares, {1, 1, 1}, shape.batch * perBatch, 4, 4}})
    if (Result<void> ok = checkOperand(operand); !ok)
      return ok;
  int64_t count = shape.batch * perBatch;
  Arguments arguments(kernel.signature);
  arguments.setView(slots.q, call.q.address, call.q.stride);
  arguments.setView(slots.k, call.k.address, call.k.stride);
  arguments.setView(slots.lse, call.lse.address, call.lse.stride);
  arguments.setPointer(slots.mass.address, call.mass.address);
  arguments.setPointer(slots.squares.address, call.squares.address);
  arguments.setPointer(slots.blocks, plan.uploaded.address());
  arguments.set(slots.items, static_cast<int32_t>(count));
  arguments.set(slots.perBatch, static_cast<int32_t>(perBatch));
  arguments.set(slots.n, static_cast<int32_t>(shape.n));
  arguments.set(slots.nq, static_cast<int32_t>(shape.nq));
  arguments.set(slots.q0, static_cast<int32_t>(shape.q0));
  arguments.set(slots.headGroup, static_cast<int32_t>(shape.heads / shape.kvHeads));
  arguments.set(slots.scale,
                call.scale.value_or(1.0f / std::sqrt(static_cast<float>(asked.headDim))));
  const void *parameters[] = {arguments.data()};
  LaunchShape launch = launchShape(kernel, count, 1, 1);
  launch.stream = call.stream;
  launch.scratch = call.workspace.address;
  return device->launch(*executable, launch, parameters);
}

} // namespace sparsec
