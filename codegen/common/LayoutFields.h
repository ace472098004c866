// The fields of a layout, as kernels read them.
#pragma once

#include <array>
#include <string_view>

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
inline constexpr std::array<std::string_view, 8> kLayoutFields = {
    "block_offsets", "block_columns", "row_order", "head_first",
    "head_step",     "layout_stride", "row_forms", "form_stride"};

} // namespace sparsec
