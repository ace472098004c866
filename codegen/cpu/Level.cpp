#include "codegen/cpu/Level.h"

#include "kernel/CpuCall.h"

#include "llvm/TargetParser/Host.h"

#include <fmt/format.h>

namespace sparsec::cpu {

const std::vector<Level> &levels() {
  static const Level avx512 = {.name = "avx512",
                               .processor = "x86-64-v4",
                               .features = "-prefer-256-bit",
                               .vector = 16,
                               .parts = 4,
                               .rows = 6,
                               .loopParts = 4,
                               .asksAhead = false}; // a Xeon's kernels gain nothing from it
  auto with = [](Level level, const char *name, const char *features) {
    level.name = name, level.features = features;
    return level;
  };
  static const std::vector<Level> table = [&] {
    Level pairs = with(avx512, "avx512bf16", "-prefer-256-bit,+avx512bf16");
    pairs.bf16Pairs = true;
    Level tiles = with(pairs, "amx", "-prefer-256-bit,+avx512bf16,+amx-tile,+amx-bf16");
    tiles.tiles = true;
    auto emulated = [&](const Level &level, const char *name) {
      Level shape = with(level, name, "");
      shape.processor = "x86-64-v3", shape.emulated = true;
      return shape;
    };
    return std::vector<Level>{
        {.name = "portable",
         .processor = "x86-64",
         .vector = 4,
         .parts = 2,
         .rows = 5,
         .fma = false,
         .f16 = false},
        {.name = "avx2", .processor = "x86-64-v3", .vector = 8, .parts = 4, .rows = 3},
        avx512,
        pairs,
        tiles,
        emulated(pairs, "shape512"),
        emulated(tiles, "shapeamx")};
  }();
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
