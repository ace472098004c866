// CPU levels: what a kernel may ask of the machine, chosen when it is compiled.
//
//   level        vectors   a panel of lanes   rows of a register tile
//   portable     4 x f32           8                   5                any x86-64
//   avx2         8 x f32          16                   6                FMA, F16C
//   avx512      16 x f32          32                  14
//   avx512bf16  16 x f32          32                  14                products of bf16 pairs
//   amx         16 x f32          32                  14                the same in tile registers
//
// A register tile holds rows x panel sums: 6 x 16 are 12 of AVX2's 16 registers, beside two of the
// lanes' operand and one that is broadcast.
#pragma once

#include "patterns/Error.h"

#include <string>
#include <vector>

namespace sparsec::cpu {

struct Level {
  const char *name;
  const char *processor; ///< LLVM's name
  const char *features;  ///< beside the processor's, as LLVM takes them
  int vector;            ///< f32 in a vector register
  int panel;             ///< lanes that one register tile is wide
  int rows;              ///< rows of a register tile
  int pointerRows;       ///< the same where each row has a pointer of its own
  bool fma;
  bool f16;       ///< converts f16 in vectors
  bool bf16Pairs; ///< sums products of bf16 pairs
  bool tiles;     ///< in AMX's tile registers
  bool emulated;  ///< pairs and tiles by ordinary instructions: the shape for tests elsewhere
};

const std::vector<Level> &levels(); ///< weakest first; the last two are for tests alone
/// By name; "host" is the fastest that this machine runs.
Result<Level> findLevel(const std::string &name);
/// Whether this machine runs code of the level.
bool hostRuns(const Level &level);

} // namespace sparsec::cpu
