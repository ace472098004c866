#include "codegen/cpu/Level.h"

#include "codegen/Kernel.h"

#include "llvm/TargetParser/Host.h"

#include <fmt/format.h>

namespace sparsec::cpu {

const std::vector<Level> &levels() {
  static const std::vector<Level> table = {
      {"portable", "x86-64", "", 4, 8, 5, 5, false, false, false, false, false},
      {"avx2", "x86-64-v3", "", 8, 16, 6, 6, true, true, false, false, false},
      {"avx512", "x86-64-v4", "-prefer-256-bit", 16, 32, 14, 8, true, true, false, false, false},
      {"avx512bf16", "x86-64-v4", "-prefer-256-bit,+avx512bf16", 16, 32, 14, 8, true, true, true,
       false, false},
      {"amx", "x86-64-v4", "-prefer-256-bit,+avx512bf16,+amx-tile,+amx-bf16", 16, 32, 14, 8, true,
       true, true, true, false},
      {"shape512", "x86-64-v3", "", 16, 32, 14, 8, true, true, true, false, true},
      {"shapeamx", "x86-64-v3", "", 16, 32, 14, 8, true, true, true, true, true},
  };
  return table;
}

static bool hostHas(std::initializer_list<const char *> features) {
  auto present = llvm::sys::getHostCPUFeatures();
  return llvm::all_of(features, [&](const char *feature) { return present.lookup(feature); });
}

bool hostRuns(const Level &level) {
  if (level.vector >= 8 &&
      !hostHas({"avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe", "xsave"}))
    return false;
  if (level.emulated)
    return true;
  if (level.vector >= 16 && !hostHas({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}))
    return false;
  if (level.tiles && !(hostHas({"amx-tile", "amx-bf16"}) && mayUseAmx()))
    return false;
  return !level.bf16Pairs || hostHas({"avx512bf16"});
}

/// AMD's cores sum bf16 pairs at twice the rate of f32 (Zen 4, measured). Intel's take as long for
/// a pair as two f32 products and more: on a Xeon with AMX 73 GFLOP/s a core against 168
/// (docs/performance.md), so there bf16 is computed in tiles or in f32.
static bool pairsAreFast(const Level &level) {
  return level.tiles || llvm::sys::getHostCPUName().starts_with("znver");
}

Result<Level> findLevel(const std::string &name) {
  std::string known = "host";
  for (const Level &level : levels()) {
    if (level.name == name)
      return level;
    if (!level.emulated)
      known += fmt::format(", {}", level.name);
  }
  if (name != "host")
    return inputError(fmt::format("expected a CPU level: {}; found '{}'", known, name));
  const Level *best = &levels().front();
  for (const Level &level : levels())
    if (hostRuns(level) && !level.emulated && (!level.bf16Pairs || pairsAreFast(level)))
      best = &level;
  return *best;
}

} // namespace sparsec::cpu
