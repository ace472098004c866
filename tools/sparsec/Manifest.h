// The two files of an output folder that say how to launch its kernels: manifest.json (schema:
// docs/manifest.md) and a C header.
#pragma once

#include "layout/LaunchNumbers.h"
#include "runtime/cuda/Assemble.h"
#include "tools/sparsec/HeadReport.h"

namespace sparsec::cli {

/// A kernel as it was built, and its files.
struct BuiltKernel {
  const PlannedKernel *plan = nullptr;
  Kernel kernel;
  std::optional<Cubin> cubin;

  bool isHost() const { return kernel.target.kind() == TargetKind::Cpu; }
  std::string codeFile() const { return plan->stem + (isHost() ? ".so" : ".ptx"); }
  std::string objectFile() const { return plan->stem + ".o"; } ///< of the cpu
  std::string cubinFile() const { return plan->stem + ".cubin"; }
};

/// What launches of a kernel need beside their tensors at a stated n, and its files.
struct BuiltNumbers {
  size_t kernel = 0; ///< of Build::kernels
  Heads heads;
  LaunchNumbers numbers;
  std::string stem;
  /// Suffix and contents of each file; the manifest's keys are the suffixes.
  std::vector<std::pair<std::string, const std::vector<int32_t> *>> files() const;
};

/// A kernel on the heads of a layer that take one of its entries.
struct BuiltLaunch {
  size_t layer = 0; ///< of LoadedPattern::layers
  EntryUse use;
  size_t kernel = 0;  ///< of Build::kernels
  size_t numbers = 0; ///< of Build::numbers: the same for all heads unless the kernel uses h
};

struct Build {
  const Plan *plan = nullptr;
  std::vector<BuiltKernel> kernels; ///< as Plan::kernels
  std::vector<BuiltNumbers> numbers;
  std::vector<BuiltLaunch> launches;
  std::optional<int64_t> n; ///< that the launches are for
};

nlohmann::ordered_json manifest(const Build &build);
std::string cHeader(const Build &build);

} // namespace sparsec::cli
