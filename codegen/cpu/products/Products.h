// The table of kinds of product (plan/ProductKind.h); each has a file of its name here.
#pragma once

#include "codegen/cpu/plan/ProductKind.h"

namespace sparsec::cpu {

extern const ProductKind kAmx;   ///< bf16 pairs in AMX's tile registers
extern const ProductKind kPairs; ///< bf16 pairs
extern const ProductKind kF32;   ///< everything

} // namespace sparsec::cpu
