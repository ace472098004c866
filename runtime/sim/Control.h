// Handlers that the decoder itself puts into a program.
#pragma once

#include "runtime/sim/Program.h"

namespace sparsec::sim {

/// Opcode 0 of every program: where diverged lanes meet. Not an instruction of PTX.
constexpr uint16_t joinCounter = 0;

void runJoin(Warp &w, const Inst &in);
void runExit(Warp &w, const Inst &in);
void runReturn(Warp &w, const Inst &in);
void runCall(Warp &w, const Inst &in);
/// Checks that registers are set before it runs the instruction proper.
void runTracked(Warp &w, const Inst &in);

} // namespace sparsec::sim
