// Patterns of the C interface: what needs no device and no compiler.
#include "patterns/Evaluate.h"
#include "patterns/LayerEntries.h"
#include "runtime/c/Boundary.h"
#include "runtime/c/PatternSource.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace sparsec {
namespace {

Result<void> fillMask(const sparsec_pattern *given, int64_t heads, const Sizes &sizes, int64_t q0,
                      uint8_t *out, size_t bytes) {
  auto source = versioned(given, "pattern");
  if (!source)
    return source.error();
  Result<void> sized = checkShape(
      {.batch = 1, .heads = heads, .kvHeads = heads, .nq = sizes.nq, .n = sizes.nk, .q0 = q0},
      {0, 1, std::max<int64_t>(heads, 0)});
  if (!sized)
    return sized;
  auto pattern = readPattern(*source);
  if (!pattern)
    return pattern.error();
  size_t row = static_cast<size_t>(sizes.nk), size = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(heads) * sizes.nq, row, &size) || size != bytes)
    return inputError(
        fmt::format("bytes: expected {} x {} x {}, found {}", heads, sizes.nq, sizes.nk, bytes));
  if (bytes == 0)
    return {};
  if (auto ok = expectPointer(out, "out"); !ok)
    return ok;
  for (int64_t h = 0; h < heads; ++h) {
    const HeadEntry &entry = pattern->layer[static_cast<size_t>(h) % pattern->layer.size()];
    Evaluator evaluator(entry.attend, h, sizes);
    for (int64_t q = 0; q < sizes.nq; ++q)
      for (int64_t k = 0; k < sizes.nk; k += 64) {
        int count = static_cast<int>(std::min<int64_t>(64, sizes.nk - k));
        uint64_t bits = evaluator.row(q + q0, k, 1, count);
        for (int i = 0; i < count; ++i)
          *out++ = bits >> i & 1;
      }
  }
  return {};
}

Result<std::string> describe(const sparsec_pattern *given) {
  auto source = versioned(given, "pattern");
  if (!source)
    return source.error();
  auto pattern = readWholePattern(*source);
  if (!pattern)
    return pattern.error();
  nlohmann::ordered_json heads = nlohmann::ordered_json::array();
  for (const HeadEntry &head : pattern->heads)
    heads.push_back({{"name", head.name}, {"attend", print(head.attend)}});
  nlohmann::ordered_json out = {{"name", pattern->name},     {"doc", pattern->doc},
                                {"params", pattern->params}, {"text", print(*pattern)},
                                {"heads", std::move(heads)}, {"layers", pattern->layers}};
  return out.dump();
}

} // namespace
} // namespace sparsec

using namespace sparsec;

extern "C" {

sparsec_status sparsec_mask(const sparsec_pattern *pattern, int64_t heads, int64_t nq, int64_t n,
                            int64_t q0, uint8_t *out, size_t bytes) {
  return guarded([&] { return fillMask(pattern, heads, {.nq = nq, .nk = n}, q0, out, bytes); });
}

sparsec_status sparsec_describe_pattern(const sparsec_pattern *pattern, char **json) {
  return guarded([&]() -> Result<void> {
    if (auto ok = expectPointer(json, "json"); !ok)
      return ok;
    auto text = describe(pattern);
    return text ? giveText(*text, json) : Result<void>(text.error());
  });
}
}
