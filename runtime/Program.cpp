#include "runtime/Program.h"

namespace sparsec {

Result<std::shared_ptr<Program>> Program::load(std::shared_ptr<Device> device, ProgramParts parts) {
  auto program = std::make_shared<Program>();
  program->machine = std::move(device);
  program->source = std::move(parts);
  return program;
}

Result<std::shared_ptr<const ProgramPlan>> Program::prepare(const AttentionShape &shape) {
  std::lock_guard lock(mutex);
  for (const auto &plan : plans)
    if (plan->asked == shape)
      return plan;
  auto plan = std::make_shared<ProgramPlan>();
  plan->asked = shape;
  auto places = static_cast<int64_t>(source.entries.size());
  std::vector<BackwardEntry> backward;
  for (int64_t place = 0; place < places; ++place) {
    const ProgramEntry &entry = source.entries[static_cast<size_t>(place)];
    Heads heads = headsOfEntry(place, places, shape.heads);
    if (heads.count == 0)
      continue;
    if (source.hasForward()) {
      Result<Attention> attention = Attention::load(*machine, entry.forward);
      if (!attention)
        return attention.error();
      if (Result<void> ready = attention->prepare(shape, heads); !ready)
        return ready.error();
      plan->entries.push_back({heads, std::move(*attention)});
    }
    backward.push_back({entry.queries, entry.keys, heads});
  }
  if (source.hasBackward() && shape.nq > 0) {
    Result<AttentionBackward> gradients = AttentionBackward::load(*machine, std::move(backward));
    if (!gradients)
      return gradients.error();
    if (Result<void> ready = gradients->prepare(shape); !ready)
      return ready.error();
    plan->gradients = std::move(*gradients);
  }
  plans.push_back(plan);
  return std::shared_ptr<const ProgramPlan>(plan);
}

Result<void> ProgramPlan::forward(const AttentionCall &given) const {
  std::lock_guard lock(launching);
  for (Entry &entry : entries) {
    AttentionCall call = given;
    call.shape = asked;
    call.heads = entry.heads;
    if (Result<void> launched = entry.attention.launch(call); !launched)
      return launched;
  }
  return {};
}

Result<void> ProgramPlan::backward(const AttentionBackwardCall &given) const {
  std::lock_guard lock(launching);
  AttentionBackwardCall call = given;
  call.shape = asked;
  return gradients->launch(call);
}

} // namespace sparsec
