#include "codegen/Backend.h"

#include "codegen/Pipeline.h"
#include "codegen/cpu/EmitCpu.h"
#include "codegen/ptx/EmitPtx.h"

namespace sparsec {
namespace {

constexpr Backend::Stage kPtxStages[] = {{"warp", addWarpPasses}, {"", addLlvmPasses}};
constexpr std::string_view kPtxTexts[] = {"llvm", "ptx"};
constexpr std::string_view kCpuTexts[] = {"plan", "llvm", "asm"};

constexpr Backend kBackends[] = {
    {.path = Path::Sm80,
     .addTilePasses = addTilePasses,
     .stages = kPtxStages,
     .texts = kPtxTexts,
     .emit = emitPtx,
     .comment = "// "},
    {.path = Path::Cpu,
     .addTilePasses = addCpuTilePasses,
     .stages = {},
     .texts = kCpuTexts,
     .emit = emitCpu,
     .comment = ""},
};

} // namespace

std::span<const Backend> backends() {
  return kBackends;
}

const Backend &backendOf(const Target &target) {
  for (const Backend &backend : kBackends)
    if (backend.path == target.path)
      return backend;
  assert(false && "every path has a back end");
  return kBackends[0];
}

} // namespace sparsec
