#include "kernel/DType.h"

namespace sparsec {

std::string_view name(DType type) {
  switch (type) {
  case DType::F16:
    return "f16";
  case DType::BF16:
    return "bf16";
  case DType::F32:
    return "f32";
  }
  return "";
}

std::optional<DType> findDType(std::string_view text) {
  for (DType type : {DType::F16, DType::BF16, DType::F32})
    if (name(type) == text)
      return type;
  return {};
}

int bytes(DType type) {
  return type == DType::F32 ? 4 : 2;
}

} // namespace sparsec
