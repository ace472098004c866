// PlainArguments as a Signature.
#pragma once

#include "kernel/Signature.h"

namespace sparsec::testing {

inline Signature plainSignature() {
  using enum FieldType;
  return Signature({{.name = "q"},
                    {.name = "k"},
                    {.name = "v"},
                    {.name = "out", .written = true},
                    {.name = "lse", .written = true, .optional = true},
                    {.name = "block_offsets"},
                    {.name = "block_columns"},
                    {.name = "row_order"},
                    {.name = "q_stride", .type = I64, .count = 3},
                    {.name = "k_stride", .type = I64, .count = 3},
                    {.name = "v_stride", .type = I64, .count = 3},
                    {.name = "out_stride", .type = I64, .count = 3},
                    {.name = "lse_stride", .type = I64, .count = 2},
                    {.name = "n", .type = I32},
                    {.name = "nq", .type = I32},
                    {.name = "q0", .type = I32},
                    {.name = "head_first", .type = I32},
                    {.name = "head_step", .type = I32},
                    {.name = "head_group", .type = I32},
                    {.name = "layout_stride", .type = I32},
                    {.name = "scale", .type = F32}});
}

} // namespace sparsec::testing
