#include "tools/sparsec/TargetFlag.h"

#include "tools/sparsec/Options.h"

#include <fmt/format.h>

namespace sparsec::cli {

std::string readTarget(const std::string &name, Target &target) {
  if (auto found = findTarget(name)) {
    target = std::move(*found);
    return "";
  }
  if (name == "sm_90a")
    return fmt::format("'{}' is not built yet; this version has {}", name,
                       listed(targetNames(), "and"));
  return fmt::format("expected {}, found '{}'{}", listed(targetNames()), name,
                     suggestion(name, targetNames()));
}

} // namespace sparsec::cli
