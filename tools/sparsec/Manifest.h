// The two files of an output folder that say how to launch its kernels: manifest.json (schema:
// docs/manifest.md) and a C header.
#pragma once

#include "kernel/ops/KeyGroups.h"
#include "runtime/cuda/Assemble.h"
#include "tools/sparsec/HeadReport.h"

namespace sparsec::cli {

/// A request's kernels as they were built, all in the same files.
struct BuiltRequest {
  const PlannedRequest *plan = nullptr;
  std::vector<Kernel> kernels; ///< in the order they run
  std::optional<Cubin> cubin;

  const Kernel &first() const { return kernels.front(); }
  bool isHost() const { return first().target.kind() == TargetKind::Cpu; }
  std::string codeFile() const { return plan->stem() + (isHost() ? ".so" : ".ptx"); }
  std::string objectFile() const { return plan->stem() + ".o"; } ///< of the cpu
  std::string cubinFile() const { return plan->stem() + ".cubin"; }
};

/// One of them.
struct BuiltKernel {
  const BuiltRequest &built;
  const Kernel &kernel;

  bool takes(std::string_view field) const { return kernel.signature.find(field) != nullptr; }
};

/// What launches of a request's kernels need beside their tensors at a stated n, and its files.
struct BuiltNumbers {
  PassNumbers numbers;
  int64_t heads = 0; ///< that its blocks are counted of
  std::string stem;
  /// Suffix and contents of each file that a kernel takes; the manifest's keys are the suffixes.
  std::vector<std::pair<std::string, const std::vector<int32_t> *>>
  files(const Kernel &kernel) const;
};

/// A number that kernels take in a field of this name.
struct LaunchField {
  std::string name;
  int64_t value = 0;
  bool counts = false; ///< items: their number is the product of such fields that a kernel takes
};

/// The kernels of a request, one after the other, on the heads of a layer that take one of its
/// entries.
struct BuiltLaunch {
  size_t layer = 0; ///< of LoadedPattern::layers
  EntryUse use;
  size_t request = 0; ///< of Plan::requests
  size_t numbers = 0; ///< of Build::numbers: the same for all heads unless the kernels use h
  std::vector<int32_t> groups = {}; ///< of heads, where the kernels take them in groups
  int64_t groupCount = 0;
  std::string groupsFile = {};
  int64_t groupHeads = 0; ///< of the largest group, where its sums are kept
  int64_t slots = 0;      ///< of slices, likewise
  bool meets = true;      ///< its sums meet those of others in memory
  std::vector<LaunchField> fields = {};
};

/// Memory that launches at a stated n share, for each sequence of the batch; of decode's for each
/// query of each sequence.
struct BuiltWorkspace {
  std::string field; ///< of the kernels
  int64_t heads = 0, rows = 0, columns = 0;
};

struct Build {
  const Plan *plan = nullptr;
  std::vector<BuiltRequest> requests; ///< as Plan::requests
  std::vector<BuiltNumbers> numbers;
  std::vector<BuiltLaunch> launches; ///< in the order they run
  std::optional<Lengths> at;         ///< that the launches are for

  /// All kernels, in the order of the manifest.
  std::vector<BuiltKernel> kernels() const;
  /// What its launches share, each field once.
  std::vector<BuiltWorkspace> workspaces() const;
};

/// The grid's first two sizes, under the name that a launch gives the first: "query_tiles",
/// "key_tiles", "items" (for each sequence, of decode for each of its queries).
struct LaunchGrid {
  const char *name;
  int64_t x = 0, y = 1;
};
LaunchGrid gridOf(const Build &build, const BuiltLaunch &launch, const Kernel &kernel);

nlohmann::ordered_json manifest(const Build &build);
std::string cHeader(const Build &build);

} // namespace sparsec::cli
