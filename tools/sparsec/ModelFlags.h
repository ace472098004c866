// What commands about models share: a device with what compiles for it, and a run folder's model.
#pragma once

#include "model/Run.h"
#include "model/Trainer.h"
#include "tools/sparsec/Command.h"

namespace sparsec::cli {

/// A device that models run on.
struct ModelMachine {
  std::unique_ptr<Device> device;
  std::unique_ptr<KernelStore> store;
  std::unique_ptr<Machine> machine;
};
Result<ModelMachine> openMachine(const std::string &device, const DeviceOptions &options);
/// One that compiles for a target and counts what it is asked for, and runs nothing; `store`: of
/// another one for the target, which then compiles nothing again.
struct PlanningMachine {
  std::unique_ptr<Device> device;
  std::unique_ptr<KernelStore> own;
  std::unique_ptr<Machine> machine;
};
PlanningMachine planningMachine(const Target &target, KernelStore *store = nullptr);

/// A config by its path (with a '/' or .yaml), or one of those inside the binary.
Result<std::shared_ptr<const SourceText>> findConfig(const std::string &name);

/// A run's model as it was trained.
Result<std::shared_ptr<const Transformer>> modelOf(const RunFolder &run);
/// Its best weights by validation; where there are none, those of its last checkpoint. `step`: of
/// them.
struct RunWeights {
  TrainedState state;
  std::string file;
};
Result<RunWeights> weightsOf(const RunFolder &run, const Parameters &parameters);

} // namespace sparsec::cli
