#include "tools/verify/Verify.h"

#include "tools/verify/Judge.h"

#include <fmt/format.h>

namespace sparsec {

Result<std::vector<std::string>> Verifier::launch(Runner &runner, const VerifyCase &c,
                                                  Tensors &tensors) {
  if (Result<void> uploaded = tensors.upload(setting.device); !uploaded)
    return uploaded.error();
  if (Result<void> worn = device->wear(); !worn)
    return worn.error();
  Result<std::vector<std::string>> faults = runner.launch(c, tensors);
  if (!faults)
    return faults;
  if (Result<void> done = tensors.download(setting.device); !done)
    return done.error();
  return faults;
}

Result<std::string> Verifier::checkMemory(Runner &runner, const VerifyCase &c,
                                          const Tensors &tensors, const Trial &trial) {
  Result<std::string> wrong = tensors.inspect(setting.device);
  if (!wrong || !wrong->empty() || c.runs() < 2)
    return wrong;
  Tensors again = trial.tensors();
  Result<std::vector<std::string>> faults = launch(runner, c, again);
  if (!faults)
    return faults.error();
  if (!again.sameOutputs(tensors))
    return std::string("a second run gave other bits");
  return wrong;
}

Result<std::vector<VerifyRow>> Verifier::run(const VerifyCase &c) {
  const VerifyOperation *operation = findVerifyOperation(table, c.operation());
  if (!operation)
    return internalError(fmt::format("no verification of '{}'", c.operation()));
  std::unique_ptr<Runner> &runner = runners[operation->name];
  if (!runner)
    runner = operation->runner(setting);
  std::unique_ptr<Trial> trial = operation->trial(setting.pattern, c);
  Tensors tensors = trial->tensors();
  Result<std::vector<std::string>> faults = launch(*runner, c, tensors);
  if (!faults)
    return faults.error();
  Result<std::string> memory = checkMemory(*runner, c, tensors, *trial);
  if (!memory)
    return memory.error();
  for (std::string &fault : *faults)
    if (fault.empty())
      fault = *memory;
  return judge(c, *trial, tensors, *faults);
}

} // namespace sparsec
