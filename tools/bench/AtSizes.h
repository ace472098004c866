// The main function of a tool that times kernels on one device at each of the sizes that its flags
// list.
#pragma once

#include "runtime/Device.h"

#include <fmt/core.h>
#include <span>

namespace sparsec {

/// `parse`: std::span<char *> -> Result<Flags> with device, threads and sizes. Bench(Device &,
/// const Flags &).run(size) prints what it takes.
template <class Bench, class Parse>
Result<void> timeAtSizes(std::span<char *> arguments, Parse parse) {
  auto flags = parse(arguments);
  if (!flags)
    return flags.error();
  auto device = openDevice(flags->device, {.threads = flags->threads});
  if (!device)
    return device.error();
  Bench bench(**device, *flags);
  for (const auto &sizes : flags->sizes)
    if (Result<void> ran = bench.run(sizes); !ran)
      return ran;
  return {};
}

/// What main() returns.
template <class Bench, class Parse>
int mainAtSizes(int count, char **arguments, Parse parse) {
  Result<void> timed = timeAtSizes<Bench>({arguments + 1, size_t(count - 1)}, parse);
  if (!timed)
    fmt::print(stderr, "{}\n", timed.error().render());
  return timed ? 0 : 1;
}

} // namespace sparsec
