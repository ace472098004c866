// How a CPU kernel is called, and what its shared object says about it.
//
//   ENTRY(arguments, x, y, z, scratch)      one work item of the grid that a GPU's thread block
//                                           would be; calls may run at once, each with scratch
//                                           memory of its own
//   ENTRY_info                              a KernelInfo
#pragma once

#include <cstdint>

namespace sparsec {

/// `arguments`: the struct of the kernel's Signature. Without an order of its rows x is the row
/// itself; at kSliceShift it may have the number of a slice of the row, from 1 to
/// KernelInfo::slices.
using CpuEntry = void (*)(const void *arguments, int32_t x, int32_t y, int32_t z, void *scratch);

struct KernelInfo {
  int64_t scratchBytes = 0;
  char level[24] = {};       ///< of CPU instructions
  int32_t slices = 1;        ///< that a row of blocks can be computed in, by as many calls
  int32_t argumentBytes = 0; ///< of the struct
  int32_t orderOffset = -1;  ///< of the pointer that orders the rows; -1: nothing does
  int32_t longestFirst = 0;  ///< 1: where rows have no order, the first ones are longest
};
constexpr int kSliceShift = 24;

/// Whether this process may use AMX's tile registers: asks Linux for them once, for all of its
/// threads. Kernels that use them may only be called after that.
bool mayUseAmx();

} // namespace sparsec
