// The gate: what a kernel's machine code must be before we ship it.
//
//   refused: spills, any C75xx line of the assembler, and local-memory traffic or calls in the code
//
// The last two are read from the cubin itself. An instruction (sm_70 and later) is 16 bytes, its
// lowest nine bits are the opcode and the next three say where operands come from:
//
//   LDL 0x983 = 0x183 | 4 << 9     STL 0x387 = 0x187 | 1 << 9     CALL 0x944 = 0x144 | 4 << 9
//
// A call's target is the next instruction's address plus its upper 32 bits. Calls of ptxas' own
// helpers (the slow path of an exact division, a shuffle after divergence) are counted apart and
// pass: they are leaves, kept out of line, that no kernel with a division can do without.
//
// No disassembler is needed, but the numbers are NVIDIA's secret: tests hold them against kernels
// that must and must not have such instructions.
#pragma once

#include "runtime/cuda/Assemble.h"

namespace sparsec {

/// Instruction counts of one function of a cubin.
struct SassFunction {
  std::string name; ///< of the kernel
  int instructions = 0;
  int localLoads = 0;
  int localStores = 0;
  int calls = 0;       ///< of functions that were not inlined
  int helperCalls = 0; ///< of ptxas' own
};

/// Reads an ELF cubin; every offset is checked, so that a damaged file is an Error.
Result<std::vector<SassFunction>> readSass(std::string_view cubin);

/// Success, or an Error with one note for each thing that is wrong.
Result<void> gate(const AssembleReport &report, const std::vector<SassFunction> &sass);
/// Both: reads the cubin and gates it.
Result<void> gate(const Cubin &cubin);

} // namespace sparsec
