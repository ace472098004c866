// The two files of an output folder that say how to launch its kernels: manifest.json (schema:
// docs/manifest.md) and a C header.
#pragma once

#include "layout/HeadTables.h"
#include "runtime/cuda/Assemble.h"
#include "tools/sparsec/HeadReport.h"

namespace sparsec::cli {

/// A kernel as it was built, and its files.
struct BuiltKernel {
  const PlannedKernel *plan = nullptr;
  Kernel kernel;
  std::optional<Cubin> cubin;

  std::string ptxFile() const { return plan->stem + ".ptx"; }
  std::string cubinFile() const { return plan->stem + ".cubin"; }
};

/// Block tables of one entry at a stated n, and their files.
struct BuiltTables {
  int entry = 0;
  Block block;
  HeadTables tables;
  std::string stem;
};

struct Build {
  const Plan *plan = nullptr;
  std::vector<BuiltKernel> kernels;
  std::vector<BuiltTables> tables;
  std::optional<int64_t> n; ///< that the tables are for
};

nlohmann::ordered_json manifest(const Build &build);
std::string cHeader(const Build &build);

} // namespace sparsec::cli
