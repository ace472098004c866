#include "runtime/sim/Ptx.h"

namespace sparsec::sim {

namespace {

struct TypeRow {
  std::string_view name;
  Type type;
  int size;
};
constexpr TypeRow types[] = {
    {"pred", Type::Pred, 0},   {"b8", Type::B8, 1},     {"b16", Type::B16, 2},
    {"b32", Type::B32, 4},     {"b64", Type::B64, 8},   {"b128", Type::B128, 16},
    {"u8", Type::U8, 1},       {"u16", Type::U16, 2},   {"u32", Type::U32, 4},
    {"u64", Type::U64, 8},     {"s8", Type::S8, 1},     {"s16", Type::S16, 2},
    {"s32", Type::S32, 4},     {"s64", Type::S64, 8},   {"f16", Type::F16, 2},
    {"f16x2", Type::F16x2, 4}, {"bf16", Type::BF16, 2}, {"bf16x2", Type::BF16x2, 4},
    {"tf32", Type::TF32, 4},   {"f32", Type::F32, 4},   {"f64", Type::F64, 8},
};

} // namespace

Type typeNamed(std::string_view text) {
  for (const TypeRow &row : types)
    if (row.name == text)
      return row.type;
  return Type::None;
}

int sizeOf(Type type) {
  for (const TypeRow &row : types)
    if (row.type == type)
      return row.size;
  return 0;
}

bool isSigned(Type type) {
  return type == Type::S8 || type == Type::S16 || type == Type::S32 || type == Type::S64;
}

bool isFloat(Type type) {
  return type == Type::F16 || type == Type::F16x2 || type == Type::BF16 || type == Type::BF16x2 ||
         type == Type::TF32 || type == Type::F32 || type == Type::F64;
}

const Function *Module::find(std::string_view name) const {
  const Function *declared = nullptr;
  for (const Function &function : functions)
    if (function.name == name) {
      if (function.isDefined)
        return &function;
      declared = &function;
    }
  return declared;
}

} // namespace sparsec::sim
