#include "tools/sparsec/Plan.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

bool sharesKernel(const PlannedKernel &kernel, const KernelRequest &request) {
  return kernel.request.target.name == request.target.name &&
         kernel.request.block == request.block && equal(kernel.request.attend, request.attend);
}

bool taken(const std::vector<PlannedKernel> &kernels, const KernelRequest &request) {
  for (const PlannedKernel &kernel : kernels)
    if (kernel.request.entry == request.entry && kernel.request.target.name == request.target.name)
      return true;
  return false;
}

} // namespace

std::string identifier(const std::string &name) {
  std::string out;
  for (char c : name)
    out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return out.empty() || std::isdigit(static_cast<unsigned char>(out[0])) ? "_" + out : out;
}

const PlannedKernel &Plan::kernelOf(int entry) const {
  for (const PlannedKernel &kernel : kernels)
    if (std::find(kernel.entries.begin(), kernel.entries.end(), entry) != kernel.entries.end())
      return kernel;
  assert(false && "every entry has a kernel");
  return kernels.front();
}

Result<void> refuseUnbuilt(const Pattern &pattern) {
  for (const HeadEntry &head : pattern.heads) {
    for (const auto *order : {&head.schedule.orderQ, &head.schedule.orderK})
      if (*order && !std::holds_alternative<NaturalOrder>(**order))
        return inputError(fmt::format("order {} is not built yet: kernels have 'natural' or 'auto'",
                                      print(**order)),
                          head.orderWhere);
    if (head.schedule.split == SplitChoice::Always)
      return inputError("split 'always' is not built yet: kernels have 'never' or 'auto'",
                        head.splitWhere);
  }
  return {};
}

Result<Plan> makePlan(const PatternFlags &flags, const std::vector<Target> &targets, PlanFor use) {
  auto loaded = load(flags);
  if (!loaded)
    return loaded.error();
  if (use == PlanFor::Kernels)
    if (auto built = refuseUnbuilt(loaded->pattern); !built)
      return built.error();
  Plan plan{std::move(*loaded), {}};
  const Pattern &pattern = plan.loaded.pattern;
  for (const Target &target : targets)
    for (size_t i = 0; i < pattern.heads.size(); ++i) {
      const HeadEntry &head = pattern.heads[i];
      std::string name = identifier(head.name);
      KernelRequest request{.entry = identifier(pattern.name) + "_" + name + "_forward",
                            .attend = simplify(head.attend),
                            .dtype = flags.dtype.value_or(defaultDType(target)),
                            .headDim = static_cast<int>(flags.headDim),
                            .valueDim = static_cast<int>(flags.valueDim.value_or(flags.headDim)),
                            .block = head.schedule.block,
                            .target = target};
      if (use == PlanFor::Kernels || !request.block.q) {
        auto block = chooseBlock(request);
        if (!block) {
          Error error = block.error();
          if (head.schedule.block.q && !error.where)
            error.where = head.blockWhere;
          return error;
        }
        request.block = *block;
      }
      auto shared = std::find_if(plan.kernels.begin(), plan.kernels.end(),
                                 [&](const auto &each) { return sharesKernel(each, request); });
      if (shared != plan.kernels.end()) {
        shared->entries.push_back(static_cast<int>(i));
        continue;
      }
      // Names that differ only in what an identifier cannot have.
      if (taken(plan.kernels, request)) {
        name += fmt::format("_{}", i);
        request.entry = identifier(pattern.name) + "_" + name + "_forward";
      }
      plan.kernels.push_back({.request = request,
                              .entries = {static_cast<int>(i)},
                              .stem = fmt::format("{}.forward.{}", name, target.name)});
    }
  return plan;
}

std::vector<HeadRow> headRows(const LoadedPattern &loaded) {
  std::vector<HeadRow> rows;
  const auto &entries = loaded.pattern.heads;
  for (size_t i = 0; i < entries.size(); ++i) {
    HeadRow row{entries[i].name, static_cast<int>(i), static_cast<int64_t>(i), {}};
    bool apart = mentions(entries[i].attend, Op::Head);
    for (int64_t h = i; h < loaded.heads; h += entries.size()) {
      if (apart)
        rows.push_back({fmt::format("{} h={}", entries[i].name, h), row.entry, h, {h}});
      else
        row.heads.push_back(h);
    }
    if (!apart)
      rows.push_back(row);
  }
  return rows;
}

} // namespace sparsec::cli
