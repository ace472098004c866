// What a kernel takes: one struct of named fields, by value on a GPU, by address on a CPU.
//
//   tile.kernel @k(%x: !tile.view<f32, 3>, %y: !tile.view<f32, 2>, %layout: !tile.layout,
//                  %n: i32) args ["x", "y"(optional), "layout", "n"]   with tile.work rows
//
//   offset 0    pointer  x                  fields lie as in C, and so that none leaves a gap:
//          8    pointer  y  written,        64-byte aligned ones, pointers, 64-bit, 32-bit;
//                           optional        among equals as the arguments come
//          16   pointer  block_offsets
//          24   pointer  block_columns      of a layout: its tables, or row_forms in their place
//          32   pointer  row_forms
//          40   pointer  row_order          of work over its rows
//          48   i64      x_stride[3]        of a view: a stride for each index but the last
//          72   i64      y_stride[2]
//          88   i32      n
//          92   i32      layout_stride
//          ...           form_stride, head_first, head_step
//
// A kernel's Signature is derived from its tile.kernel (codegen/common/Derive.h), so there is no
// struct to keep in step. Hosts look fields up by name once, when a kernel is loaded. A scalar that
// must not freeze in a captured graph is a pointer here: to one number in device memory.
#pragma once

#include "patterns/Error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sparsec {

enum class FieldType : uint8_t { Pointer, I64, I32, F32, TensorMap };
std::string_view name(FieldType type); ///< "pointer", "i64", "i32", "f32", "tensor_map"
int bytes(FieldType type);             ///< of one element
int alignment(FieldType type);

struct Field {
  std::string name; ///< snake_case: q_stride
  FieldType type = FieldType::Pointer;
  int count = 1;         ///< array length
  int offset = 0;        ///< in bytes
  bool written = false;  ///< a pointer to what the kernel writes
  bool optional = false; ///< a pointer that may be null
  bool operator==(const Field &) const = default;
};

class Signature {
public:
  Signature() = default;
  /// Puts the fields in order and gives them their offsets. Names are different from each other.
  explicit Signature(std::vector<Field> fields);

  const std::vector<Field> &fields() const { return all; }
  const Field *find(std::string_view name) const; ///< null when there is none
  int bytes() const { return size; }              ///< of the struct, a multiple of its alignment
  int alignment() const { return align; }
  bool operator==(const Signature &) const = default;

private:
  std::vector<Field> all;
  int size = 0, align = 1;
};

/// A line for each field: "i64 q_stride[3] at 56", "pointer lse at 32 written optional".
std::string print(const Signature &signature);
/// Error: a line that is none, offsets that are not those of the fields.
Result<Signature> parseSignature(const std::string &text);

} // namespace sparsec
