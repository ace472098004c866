#include "runtime/LoadedKernel.h"

#include <fmt/format.h>

namespace sparsec {

Tensor matrix(DeviceAddress address, int64_t rows, int64_t stride, int elementBytes) {
  return {.address = address,
          .bytes = static_cast<size_t>(rows * stride * elementBytes),
          .stride = {0, 0, stride}};
}

Result<LoadedKernel> LoadedKernel::load(Device &device, Kernel kernel,
                                        std::span<const std::string_view> names) {
  Result<std::unique_ptr<Executable>> executable = device.load(kernel.code, kernel.entry);
  if (!executable)
    return executable.error();
  LoadedKernel result;
  result.device = &device;
  result.executable = std::move(*executable);
  result.items = Slot(kernel.signature, kernel.grid.order);
  for (std::string_view name : names) {
    const Field *field = kernel.signature.find(name);
    const Field *strides = kernel.signature.find(std::string(name) + "_stride");
    result.places.push_back({.name = std::string(name),
                             .optional = field && field->optional,
                             .strides = strides ? static_cast<size_t>(strides->count) : 0,
                             .view = ViewSlot(kernel.signature, std::string(name))});
  }
  result.loaded = std::move(kernel);
  return result;
}

static Result<void> check(const std::string &name, const MatrixArgument &given) {
  Operand operand{name,
                  given.tensor,
                  {1, given.extent.matrices, given.extent.rows},
                  given.extent.columns,
                  given.elementBytes,
                  given.alignment ? given.alignment : given.elementBytes};
  if (Result<void> ok = checkOperand(operand); !ok)
    return ok;
  if (given.use == MatrixArgument::Use::Written)
    return checkDisjoint(operand);
  return {};
}

Result<void> LoadedKernel::set(Arguments &arguments, const Place &place,
                               const LaunchValue &value) const {
  if (!place.view.address)
    return {};
  if (const auto *number = std::get_if<int32_t>(&value)) {
    arguments.set(place.view.address, *number);
  } else if (const auto *real = std::get_if<float>(&value)) {
    arguments.set(place.view.address, *real);
  } else {
    const auto &given = std::get<MatrixArgument>(value);
    if (given.tensor.address != 0 || !place.optional)
      if (Result<void> ok = check(place.name, given); !ok)
        return ok;
    arguments.setView(place.view, given.tensor.address,
                      std::span(given.tensor.stride).last(place.strides));
  }
  return {};
}

Result<void> LoadedKernel::launch(int64_t count, std::initializer_list<LaunchValue> values) const {
  assert(values.size() == places.size() && "a value for each name");
  Arguments arguments(loaded.signature);
  for (auto [place, value] = std::pair(places.begin(), values.begin()); value != values.end();
       ++place, ++value)
    if (Result<void> ok = set(arguments, *place, *value); !ok)
      return ok;
  if (count == 0)
    return {};
  if (count > INT32_MAX)
    return inputError(fmt::format("expected at most 2^31 - 1 work items, found {}", count));
  arguments.set(items, static_cast<int32_t>(count));
  const void *parameters[] = {arguments.data()};
  return device->launch(*executable, launchShape(loaded, count, 1, 1), parameters);
}

} // namespace sparsec
