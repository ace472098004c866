// The fields of a layout, as kernels read them and as their Signatures have them.
#pragma once

#include "kernel/Signature.h"

#include <array>

namespace sparsec {

enum LayoutField {
  kOffsets,
  kColumns,
  kRowOrder,
  kHeadFirst,
  kHeadStep,
  kLayoutStride,
  kRowForms,
  kFormStride
};

struct LayoutFieldSpec {
  std::string_view name;
  FieldType type;
  /// Which kernels take it: those whose work is over the layout's rows, those that take closed
  /// forms, or all.
  enum Of { All, Work, Forms } of = All;
};
inline constexpr std::array<LayoutFieldSpec, 8> kLayoutFields = {{
    {"block_offsets", FieldType::Pointer},
    {"block_columns", FieldType::Pointer},
    {"row_order", FieldType::Pointer, LayoutFieldSpec::Work},
    {"head_first", FieldType::I32, LayoutFieldSpec::Work},
    {"head_step", FieldType::I32, LayoutFieldSpec::Work},
    {"layout_stride", FieldType::I32},
    {"row_forms", FieldType::Pointer, LayoutFieldSpec::Forms},
    {"form_stride", FieldType::I32, LayoutFieldSpec::Forms},
}};

} // namespace sparsec
