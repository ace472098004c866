// One tensor of a call with what it must hold, and what it is refused for.
#pragma once

#include "runtime/Attention.h"

namespace sparsec {

/// One tensor of a call with what it must hold.
struct Operand {
  std::string_view name;
  const Tensor &tensor;
  std::array<int64_t, 3> extent; ///< batch, heads, rows
  int64_t columns;
  int elementBytes;
  int alignment; ///< of address and strides, in bytes
};

/// Error: no memory, or an address or strides that are not multiples of `alignment`, or that leave
/// the memory given.
Result<void> checkOperand(const Operand &operand);
/// Refuses a written tensor two of whose rows may overlap: an axis must step over all that the
/// smaller strides reach.
Result<void> checkDisjoint(const Operand &operand);
Result<void> checkShape(const AttentionShape &shape, const Heads &heads);

} // namespace sparsec
