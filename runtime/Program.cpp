#include "runtime/Program.h"

#include "runtime/Workspace.h"

#include <fmt/format.h>
#include <mutex>

namespace sparsec {

Result<std::shared_ptr<Program>> Program::load(std::shared_ptr<Device> device, ProgramParts parts) {
  auto program = std::make_shared<Program>();
  program->machine = std::move(device);
  program->source = std::move(parts);
  std::vector<BackwardEntry> backward;
  for (const ProgramEntry &entry : program->source.entries) {
    if (program->source.hasForward()) {
      Result<Attention> attention = Attention::load(*program->machine, entry.forward);
      if (!attention)
        return attention.error();
      program->entries.push_back(std::move(*attention));
    }
    backward.push_back({entry.queries, entry.keys});
    if (program->source.hasDecode()) {
      Result<AttentionDecode> decode = AttentionDecode::load(*program->machine, entry.decode);
      if (!decode)
        return decode.error();
      program->decodes.push_back(std::move(*decode));
    }
    if (program->source.hasMass()) {
      const MassPart &part = entry.mass.front();
      Result<AttentionMass> mass =
          AttentionMass::load(*program->machine, part.kernels, part.request);
      if (!mass)
        return mass.error();
      program->masses.push_back(std::move(*mass));
    }
  }
  if (program->source.hasBackward()) {
    auto gradients = AttentionBackward::load(*program->machine, std::move(backward));
    if (!gradients)
      return gradients.error();
    program->gradients = std::move(*gradients);
  }
  for (ProgramEntry &entry : program->source.entries) {
    for (AttentionPart &part : entry.forward)
      part.kernel.code.clear(), part.kernel.object.clear();
    for (auto *pass : {&entry.queries, &entry.keys})
      for (BackwardPart &part : *pass)
        for (Kernel &kernel : part.kernels)
          kernel.code.clear(), kernel.object.clear();
    for (DecodePart &part : entry.decode)
      for (Kernel &kernel : part.kernels)
        kernel.code.clear(), kernel.object.clear();
    for (MassPart &part : entry.mass)
      for (Kernel &kernel : part.kernels)
        kernel.code.clear(), kernel.object.clear();
  }
  return program;
}

size_t Program::HashOfShape::operator()(const AttentionShape &shape) const {
  size_t hash = 0;
  for (int64_t value : {shape.batch, shape.heads, shape.kvHeads, shape.nq, shape.n, shape.q0})
    hash = (hash ^ static_cast<size_t>(value)) * 0x9E3779B97F4A7C15 + (hash >> 29);
  return hash;
}

std::shared_ptr<const ProgramPlan> Program::find(const AttentionShape &shape) const {
  std::shared_lock lock(mutex);
  auto found = plans.find(shape);
  return found == plans.end() ? nullptr : found->second;
}

Result<std::shared_ptr<const ProgramPlan>> Program::prepare(const AttentionShape &shape) {
  if (auto found = find(shape))
    return found;
  auto plan = makePlan(shape);
  if (!plan)
    return plan.error();
  std::unique_lock lock(mutex);
  return plans.emplace(shape, std::move(*plan)).first->second; // the first, where two made it
}

Result<std::shared_ptr<ProgramPlan>> Program::makePlan(const AttentionShape &shape) const {
  if (Result<void> ok = checkShape(shape, {0, 1, shape.heads}); !ok)
    return ok.error();
  auto plan = std::make_shared<ProgramPlan>();
  plan->asked = shape;
  for (size_t i = 0; i < entries.size(); ++i) {
    Heads heads =
        headsOfEntry(static_cast<int64_t>(i), static_cast<int64_t>(entries.size()), shape.heads);
    Result<AttentionPlan> entry = entries[i].prepare(shape, heads);
    if (!entry)
      return entry.error();
    plan->forwardSums = std::max(plan->forwardSums, entry->workspaceBytes()); // they run in turn
    plan->forwardScratch = std::max(plan->forwardScratch, entry->scratchBytes());
    plan->entries.push_back(std::move(*entry));
  }
  if (gradients && shape.nq > 0) {
    auto backward = gradients->prepare(shape);
    if (!backward)
      return backward.error();
    plan->gradients = std::move(*backward);
  }
  if (Result<void> ok = prepareDecode(*plan); !ok)
    return ok.error();
  if (Result<void> ok = prepareMass(*plan); !ok)
    return ok.error();
  plan->count();
  return plan;
}

Result<void> Program::prepareDecode(ProgramPlan &plan) const {
  const AttentionShape &shape = plan.asked;
  if (shape.nq < 1 || shape.nq > AttentionDecodeRequest::kMostQueries)
    return {};
  for (size_t i = 0; i < decodes.size(); ++i) {
    auto count = static_cast<int64_t>(decodes.size());
    Result<AttentionDecodePlan> entry =
        decodes[i].prepare({.batch = shape.batch,
                            .heads = shape.heads,
                            .kvHeads = shape.kvHeads,
                            .nq = shape.nq,
                            .most = shape.n},
                           headsOfEntry(static_cast<int64_t>(i), count, shape.heads));
    if (!entry)
      return entry.error();
    plan.decodeSums = std::max(plan.decodeSums, entry->workspaceBytes()); // they run in turn
    plan.decodeScratch = std::max(plan.decodeScratch, entry->scratchBytes());
    plan.decodes.push_back(std::move(*entry));
  }
  return {};
}

static void add(WorkCounts &counts, const UploadedNumbers &numbers, const Heads &heads,
                int64_t batch) {
  counts.live += batch * numbers.counts.live;
  counts.full += batch * numbers.counts.full;
  counts.all += batch * heads.count * numbers.rowTiles * numbers.columnTiles;
}

void ProgramPlan::count() {
  for (const AttentionPlan &entry : entries)
    for (size_t part = 0; part < entry.partCount(); ++part)
      add(forwardCounts, entry.numbers(part), entry.heads(), asked.batch);
  if (gradients)
    for (const AttentionBackwardPlan::Part &part : gradients->all())
      add(backwardCounts, part.numbers, part.heads, asked.batch);
}

/// The entries of a pattern, each on its plan.
template <class Loaded, class Plan, class Call>
static Result<void> launchEach(const std::vector<Loaded> &loaded, const std::vector<Plan> &plans,
                               const Call &call) {
  for (size_t i = 0; i < loaded.size(); ++i)
    if (Result<void> launched = loaded[i].launch(plans[i], call); !launched)
      return launched;
  return {};
}

Result<void> Program::forward(const ProgramPlan &plan, const AttentionCall &given) const {
  if (Result<void> ok = checkWorkspace(given.workspace, plan.forwardWorkspace()); !ok)
    return ok;
  AttentionCall call = given;
  if (plan.forwardScratch)
    call.scratch = given.workspace.address + plan.forwardSums;
  return launchEach(entries, plan.entries, call);
}

Result<void> Program::backward(const ProgramPlan &plan, const AttentionBackwardCall &given) const {
  if (!plan.gradients)
    return inputError("expected at least one query row, found none");
  if (Result<void> ok = checkWorkspace(given.workspace, plan.backwardWorkspace()); !ok)
    return ok;
  AttentionBackwardCall call = given;
  if (plan.gradients->scratchBytes())
    call.scratch = given.workspace.address + plan.gradients->workspaceBytes();
  return gradients->launch(*plan.gradients, call);
}

/// Of one sequence: they are launched one after the other, into rows of the results.
Result<void> Program::prepareMass(ProgramPlan &plan) const {
  AttentionShape one = plan.asked;
  one.batch = 1;
  for (size_t i = 0; i < masses.size(); ++i) {
    auto count = static_cast<int64_t>(masses.size());
    Result<AttentionMassPlan> entry =
        masses[i].prepare(one, headsOfEntry(static_cast<int64_t>(i), count, one.heads));
    if (!entry)
      return entry.error();
    plan.massScratch = std::max(plan.massScratch, entry->scratchBytes());
    plan.masses.push_back(std::move(*entry));
  }
  return {};
}

size_t ProgramPlan::massBlocks() const {
  size_t count = 0;
  for (const AttentionMassPlan &entry : masses)
    count += entry.blocks().size();
  return count;
}

Result<void> Program::mass(const ProgramPlan &plan, const AttentionMassCall &given) const {
  if (Result<void> ok = checkWorkspace(given.workspace, plan.massWorkspace()); !ok)
    return ok;
  auto element = static_cast<size_t>(bytes(source.dtype));
  auto advance = [](Tensor &tensor, size_t bytes) {
    tensor.address += bytes;
    tensor.bytes -= std::min(bytes, tensor.bytes);
  };
  AttentionMassCall call = given;
  for (int64_t b = 0; b < plan.asked.batch; ++b) {
    for (size_t i = 0; i < masses.size(); ++i) {
      if (Result<void> launched = masses[i].launch(plan.masses[i], call); !launched)
        return launched;
      size_t own = plan.masses[i].blocks().size() * sizeof(float);
      advance(call.mass, own);
      advance(call.squares, own);
    }
    for (Tensor *tensor : {&call.q, &call.k})
      advance(*tensor, static_cast<size_t>(tensor->stride[0]) * element);
    advance(call.lse, static_cast<size_t>(call.lse.stride[0]) * sizeof(float));
  }
  return {};
}

Result<void> Program::decode(const ProgramPlan &plan, const AttentionDecodeCall &given) const {
  if (plan.decodes.empty())
    return inputError(fmt::format("expected a plan of 1 to {} new queries, found {}",
                                  AttentionDecodeRequest::kMostQueries, plan.asked.nq));
  if (Result<void> ok = checkWorkspace(given.workspace, plan.decodeWorkspace()); !ok)
    return ok;
  AttentionDecodeCall call = given;
  if (plan.decodeScratch)
    call.scratch = given.workspace.address + plan.decodeSums;
  return launchEach(decodes, plan.decodes, call);
}

} // namespace sparsec
