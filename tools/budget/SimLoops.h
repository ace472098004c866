// Two loops for sim to run: one like attention's (cp.async into two stages, ldmatrix, mma, scaling,
// exponentials, packing, barriers; four warps), and one of integer arithmetic and shared memory.
#pragma once

#include "runtime/Device.h"

namespace sparsec {

struct SimLoop {
  std::string_view name;
  std::string ptx;
  uint32_t iterations = 1; ///< of a run that takes some tenths of a second
};

std::vector<SimLoop> simLoops();

/// A loop on a device, ready to run.
class LoadedLoop {
public:
  static Result<LoadedLoop> load(Device &device, const SimLoop &loop);
  Result<void> run(uint32_t iterations);

private:
  LoadedLoop() = default;
  Device *device = nullptr;
  DeviceAddress in{}, out{};
  std::unique_ptr<Executable> kernel;
};

} // namespace sparsec
