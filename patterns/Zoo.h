// The texts of patterns/zoo, which the build puts into the library.
#pragma once

#include <string_view>
#include <vector>

namespace sparsec {

struct ZooEntry {
  std::string_view name; ///< without .yaml
  std::string_view text;
};

/// In the order of the files' names.
const std::vector<ZooEntry> &zooEntries();

} // namespace sparsec
