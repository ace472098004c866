#include "model/Config.h"

#include "patterns/Zoo.h"

namespace sparsec {

/// The texts of model/configs, which the build puts into the library.
const std::vector<ZooEntry> &configEntries();

std::vector<std::string> configNames() {
  std::vector<std::string> names;
  for (const ZooEntry &entry : configEntries())
    names.emplace_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::shared_ptr<const SourceText> configFile(const std::string &name) {
  for (const ZooEntry &entry : configEntries())
    if (entry.name == name)
      return std::make_shared<const SourceText>(
          SourceText{"configs/" + name + ".yaml", std::string(entry.text)});
  return nullptr;
}

} // namespace sparsec
