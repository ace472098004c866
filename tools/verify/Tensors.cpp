#include "tools/verify/Tensors.h"

#include <fmt/format.h>

namespace sparsec {

void Tensors::input(std::string name, const TensorSpec &spec, std::span<const float> values) {
  all.push_back({std::move(name), Use::Input, HostTensor(spec)});
  all.back().tensor.set(values);
}

void Tensors::output(std::string name, const TensorSpec &spec) {
  all.push_back({std::move(name), Use::Output, HostTensor(spec)});
}

void Tensors::updated(std::string name, const TensorSpec &spec, std::span<const float> values) {
  all.push_back({std::move(name), Use::Output, HostTensor(spec)});
  all.back().tensor.set(values);
}

void Tensors::unasked(std::string name, const TensorSpec &spec) {
  all.push_back({std::move(name), Use::Unasked, HostTensor(spec)});
}

const HostTensor &Tensors::operator[](std::string_view name) const {
  auto found = std::ranges::find(all, name, &Named::name);
  assert(found != all.end() && "no tensor of this name");
  return found->tensor;
}

Result<void> Tensors::upload(Device &device) {
  for (Named &each : all)
    if (Result<void> done = each.tensor.upload(device); !done)
      return done;
  return {};
}

Result<void> Tensors::download(Device &device) {
  for (Named &each : all)
    if (each.use != Use::Input)
      if (Result<void> done = each.tensor.download(device); !done)
        return done;
  return {};
}

/// What is wrong with an output after a run.
static std::string inspectOutput(const std::string &name, const HostTensor &tensor, bool asked) {
  if (std::optional<int64_t> at = tensor.firstOverwritten())
    return fmt::format("{}: byte {} outside of the tensor was written to", name, *at);
  HostTensor::Unwritten missing = tensor.unwritten();
  if (!asked && missing.count != tensor.size())
    return fmt::format("{} was written to and not asked for", name);
  if (asked && missing.count)
    return fmt::format("{}: {} of {} elements were not written, the first is element {}", name,
                       missing.count, tensor.size(), missing.first);
  return "";
}

Result<std::string> Tensors::inspect(Device &device) const {
  for (const auto &[name, use, tensor] : all) {
    if (use == Use::Input) {
      Result<bool> same = tensor.unchanged(device);
      if (!same)
        return same.error();
      if (!*same)
        return fmt::format("{} was written to", name);
    } else if (std::string wrong = inspectOutput(name, tensor, use == Use::Output);
               !wrong.empty()) {
      return wrong;
    }
  }
  return std::string();
}

bool Tensors::sameOutputs(const Tensors &other) const {
  return std::ranges::all_of(all, [&](const Named &each) {
    return each.use == Use::Input || each.tensor.bytes() == other[each.name].bytes();
  });
}

} // namespace sparsec
