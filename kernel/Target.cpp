#include "kernel/Target.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <sstream>

namespace sparsec {

// Most shared memory that one thread block may ask for: the CUDA C++ programming guide's table of
// compute capabilities, less the 1 KB that the system keeps of each block's.
static const std::vector<Target> &targets() {
  static const std::vector<Target> table = {
#define TARGET(name, path, sharedBytes, ptx) {name, path, sharedBytes, ptx, ""},
#include "kernel/Targets.def"
      {"cpu", Path::Cpu, 0, "", "host"},
  };
  return table;
}

Result<Target> findTarget(const std::string &name) {
  for (const Target &target : targets())
    if (target.name == name)
      return target;
  if (name.starts_with("cpu:") || name.starts_with("cpu-"))
    return Target{.name = "cpu-" + name.substr(4), .path = Path::Cpu, .level = name.substr(4)};
  return inputError(fmt::format("expected a target that is built: {}; found '{}'",
                                fmt::join(targetNames(), ", "), name));
}

std::vector<std::string> targetNames() {
  std::vector<std::string> names;
  for (const Target &target : targets())
    names.push_back(target.name);
  return names;
}

DType defaultDType(const Target &target) {
  return target.kind() == TargetKind::Cpu ? DType::F32 : DType::BF16;
}

std::string print(const Target &target) {
  if (target.kind() == TargetKind::Cpu)
    return fmt::format("{} path cpu level {}", target.name, target.level);
  return fmt::format("{} path sm80 shared {} ptx {}", target.name, target.sharedBytes,
                     target.ptxVersion);
}

Result<Target> parseTarget(const std::string &text) {
  std::istringstream words(text);
  Target target;
  std::string path, key;
  words >> target.name >> key >> path;
  bool right = words && key == "path" && (path == "sm80" || path == "cpu");
  target.path = path == "cpu" ? Path::Cpu : Path::Sm80;
  if (right && target.path == Path::Cpu)
    right = words >> key >> target.level && key == "level";
  else if (right)
    right = words >> key >> target.sharedBytes && key == "shared" &&
            words >> key >> target.ptxVersion && key == "ptx";
  if (!right || words >> key)
    return inputError(fmt::format("expected a target, found '{}'", text));
  return target;
}

} // namespace sparsec
