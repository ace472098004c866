// The types of elements in memory. Sums and scores are f32 in every kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sparsec {

enum class DType : uint8_t { F16, BF16, F32 };
std::string_view name(DType type); ///< "f16", "bf16", "f32"
std::optional<DType> findDType(std::string_view name);
int bytes(DType type);

} // namespace sparsec
