// The gradients of several processes, added on their devices: by NCCL on GPUs, else through the
// host and the processes' sockets.
#pragma once

#include "model/Processes.h"
#include "runtime/cuda/Nccl.h"

namespace sparsec {

class GradientSum {
public:
  /// Of one process there is nothing to do. All processes call it together.
  static Result<GradientSum> open(Device &device, std::shared_ptr<Processes> processes);
  /// f32 in place.
  Result<void> sum(DeviceAddress values, int64_t elements);

private:
  Device *device = nullptr;
  std::shared_ptr<Processes> processes;
  std::unique_ptr<Nccl> nccl;
  std::vector<float> host;
};

} // namespace sparsec
