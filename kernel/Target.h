// What code is generated for: a GPU of the target table (Targets.def), or a CPU.
//
//   name     kind   path    shared memory   level
//   sm_90    GPU    Sm80    227 KB                    mma.sync, cp.async
//   cpu      CPU    Cpu                     host      the fastest level of this machine
//   cpu-avx2 CPU    Cpu                     avx2
//
// A path is a way of generating code, a row of codegen/Backend.h: several targets share one.
#pragma once

#include "kernel/DType.h"
#include "patterns/Error.h"

#include <string>
#include <vector>

namespace sparsec {

enum class TargetKind : uint8_t { Gpu, Cpu };
enum class Path : uint8_t { Sm80, Cpu };

struct Target {
  std::string name;       ///< "sm_80", "cpu"
  Path path = Path::Sm80; ///< how its code is generated
  int sharedBytes = 0;    ///< GPU: most shared memory a block may have
  std::string ptxVersion; ///< GPU: "ptx80"
  std::string level;      ///< CPU: "host", or a level by name (codegen/cpu/Level.h)

  TargetKind kind() const { return path == Path::Cpu ? TargetKind::Cpu : TargetKind::Gpu; }
  bool operator==(const Target &) const = default;
};

/// By name. "cpu" is code for this machine; "cpu-avx2" for any with that level.
Result<Target> findTarget(const std::string &name);
std::vector<std::string> targetNames();
/// The type that kernels take when nobody says: bf16 on GPUs, f32 on CPUs.
DType defaultDType(const Target &target);

/// "sm_90 path sm80 shared 232448 ptx ptx80", "cpu-avx2 path cpu level avx2": all that its code
/// depends on.
std::string print(const Target &target);
Result<Target> parseTarget(const std::string &text);

} // namespace sparsec
