#include "patterns/Zoo.h"

#include "patterns/Pattern.h"

#include <algorithm>

namespace sparsec {

std::vector<std::string> zooNames() {
  std::vector<std::string> names;
  for (const ZooEntry &entry : zooEntries())
    names.emplace_back(entry.name);
  std::sort(names.begin(), names.end()); // the build sorts file names, .yaml included
  return names;
}

std::shared_ptr<const SourceText> zooFile(const std::string &name) {
  for (const ZooEntry &entry : zooEntries())
    if (entry.name == name)
      return std::make_shared<const SourceText>(
          SourceText{"zoo/" + name + ".yaml", std::string(entry.text)});
  return nullptr;
}

} // namespace sparsec
