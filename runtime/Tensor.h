// The tensors of a call: memory by address and strides, and what is checked of each before any
// kernel runs.
//
//   Operand q{"q", call.q, {batch, heads, nq}, headDim, bytes(dtype), 16};
//   checkOperand(q)     "q: expected a row stride that is a multiple of 8 elements (16 bytes), ..."
#pragma once

#include "patterns/Error.h"
#include "runtime/Device.h"

namespace sparsec {

/// Memory seen as [batch, heads, rows, columns] by strides in elements; columns are contiguous.
struct Tensor {
  DeviceAddress address = 0;          ///< of element [0, 0, 0, 0]; 0: there is none
  size_t bytes = 0;                   ///< that may be touched from `address` on
  std::array<int64_t, 3> stride = {}; ///< batch, head, row
};

/// One tensor of a call with what it must hold.
struct Operand {
  std::string_view name;
  const Tensor &tensor;
  std::array<int64_t, 3> extent; ///< batch, heads, rows
  int64_t columns;
  int elementBytes;
  int alignment; ///< of address and strides, in bytes
};

/// Refuses memory that is missing, misaligned or too small, and strides that leave it.
Result<void> checkOperand(const Operand &operand);
/// Refuses a written tensor two of whose rows may overlap: an axis must step over all that the
/// smaller strides reach.
Result<void> checkDisjoint(const Operand &operand);

/// Refuses memory that is written and lies in that of another operand. Views of one matrix whose
/// rows do not meet (q, k and v of one product, say) are apart; of two views with other strides
/// their whole ranges have to be.
Result<void> checkApart(const Operand &written, const Operand &other);

} // namespace sparsec
