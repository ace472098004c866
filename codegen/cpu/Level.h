// CPU levels: what a kernel may ask of the machine, chosen when it is compiled.
//
//   level        vectors   a panel of lanes   rows of a register tile
//   portable     4 x f32         2 x 4                 5                any x86-64
//   avx2         8 x f32         4 x 8                 3                FMA, F16C
//   avx512      16 x f32         4 x 16                6
//   avx512bf16  16 x f32         4 x 16                6                products of bf16 pairs
//   amx         16 x f32         4 x 16                6                the same in tile registers
//
// A register tile holds rows x parts sums: 3 x 4 are 12 of AVX2's 16 registers, beside three rows'
// broadcast elements and one vector of lanes. A step loads rows + parts times for rows x parts
// multiply-adds; a tile is wide rather than high, for a row costs an address as well.
#pragma once

#include "patterns/Error.h"

#include <string>
#include <vector>

namespace sparsec::cpu {

struct Level {
  const char *name;
  const char *processor;     ///< LLVM's name
  const char *features = ""; ///< beside the processor's, as LLVM takes them
  int vector;                ///< f32 in a vector register
  int parts;                 ///< vectors that a panel of lanes is wide
  int rows;                  ///< of a register tile
  int loopParts = 2;         ///< vectors of a row at once beside a dozen constants
  bool asksAhead = true;     ///< for the next block's cache lines (Prefetch.cpp)
  bool fma = true;
  bool f16 = true;        ///< converts f16 in vectors
  bool bf16Pairs = false; ///< sums products of bf16 pairs
  bool tiles = false;     ///< in AMX's tile registers
  bool emulated = false;  ///< pairs and tiles by ordinary instructions, for tests elsewhere

  int panel() const { return parts * vector; }
  /// Of a register tile whose panel has so many parts.
  int rowsBeside(int panelParts) const { return parts * rows / panelParts; }
};

const std::vector<Level> &levels(); ///< weakest first; the last two are for tests alone
/// By name; "host" is the fastest that this machine runs.
Result<Level> findLevel(const std::string &name);
/// Whether this machine runs code of the level.
bool hostRuns(const Level &level);

} // namespace sparsec::cpu
