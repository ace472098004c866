// The target table, and the argument struct as kernels read it.
#include "codegen/Kernel.h"

#include <cstddef>
#include <fmt/core.h>
#include <fmt/ranges.h>

namespace sparsec {

// Most shared memory that one thread block may ask for: the CUDA C++ programming guide's table of
// compute capabilities, less the 1 KB that the system keeps of each block's.
static const std::vector<Target> &targets() {
  static const std::vector<Target> table = {
#define TARGET(name, sharedBytes, ptx) {name, sharedBytes, ptx, Machine::Gpu, ""},
#include "codegen/ptx/Targets.def"
      {"cpu", 0, "", Machine::Cpu, "host"},
  };
  return table;
}

Result<Target> findTarget(const std::string &name) {
  for (const Target &target : targets())
    if (target.name == name)
      return target;
  if (name.starts_with("cpu-"))
    return Target{.name = name, .machine = Machine::Cpu, .level = name.substr(4)};
  return inputError(fmt::format("expected a target that is built: {}; found '{}'",
                                fmt::join(targetNames(), ", "), name));
}

std::vector<std::string> targetNames() {
  std::vector<std::string> names;
  for (const Target &target : targets())
    names.push_back(target.name);
  return names;
}

DType defaultDType(const Target &target) {
  return target.machine == Machine::Cpu ? DType::F32 : DType::BF16;
}

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

bool takesRowForms(const Target &target, DType dtype, int valueDim) {
  return target.machine == Machine::Cpu || dtype == DType::BF16 || valueDim <= 192;
}

int bytes(DType type) {
  return type == DType::F32 ? 4 : 2;
}

const std::vector<Field> &attentionFields() {
  using A = AttentionArguments;
  static const std::vector<Field> fields = {
      {"q", FieldType::Pointer, 1, offsetof(A, q)},
      {"k", FieldType::Pointer, 1, offsetof(A, k)},
      {"v", FieldType::Pointer, 1, offsetof(A, v)},
      {"out", FieldType::Pointer, 1, offsetof(A, out)},
      {"lse", FieldType::Pointer, 1, offsetof(A, lse)},
      {"prior_out", FieldType::Pointer, 1, offsetof(A, priorOut)},
      {"prior_lse", FieldType::Pointer, 1, offsetof(A, priorLse)},
      {"q_stride", FieldType::I64, 3, offsetof(A, qStride)},
      {"k_stride", FieldType::I64, 3, offsetof(A, kStride)},
      {"v_stride", FieldType::I64, 3, offsetof(A, vStride)},
      {"out_stride", FieldType::I64, 3, offsetof(A, outStride)},
      {"lse_stride", FieldType::I64, 2, offsetof(A, lseStride)},
      {"prior_out_stride", FieldType::I64, 3, offsetof(A, priorOutStride)},
      {"prior_lse_stride", FieldType::I64, 2, offsetof(A, priorLseStride)},
      {"query_order", FieldType::Pointer, 1, offsetof(A, queryOrder)},
      {"key_order", FieldType::Pointer, 1, offsetof(A, keyOrder)},
      {"row_forms", FieldType::Pointer, 1, offsetof(A, rowForms)},
      {"block_offsets", FieldType::Pointer, 1, offsetof(A, blockOffsets)},
      {"block_columns", FieldType::Pointer, 1, offsetof(A, blockColumns)},
      {"row_order", FieldType::Pointer, 1, offsetof(A, rowOrder)},
      {"n", FieldType::I32, 1, offsetof(A, n)},
      {"nq", FieldType::I32, 1, offsetof(A, nq)},
      {"q0", FieldType::I32, 1, offsetof(A, q0)},
      {"head_first", FieldType::I32, 1, offsetof(A, headFirst)},
      {"head_step", FieldType::I32, 1, offsetof(A, headStep)},
      {"head_group", FieldType::I32, 1, offsetof(A, headGroup)},
      {"layout_stride", FieldType::I32, 1, offsetof(A, layoutStride)},
      {"form_stride", FieldType::I32, 1, offsetof(A, formStride)},
      {"scale", FieldType::F32, 1, offsetof(A, scale)},
  };
  return fields;
}

} // namespace sparsec
