// A kernel decoded for running: one flat array of instructions, each with the function that
// executes it for the lanes of a warp.
//
// Registers of a warp are columns of 32 lanes. An operand is a byte offset:
//
//   o >= 0   the register file of the warp: 128 bytes (8 to 32 bits a lane) or 256 (64 bits)
//   o <  0   ~o into the constant pool: immediates and addresses of variables, broadcast
//
// so that an instruction never asks what kind of operand it has. 8- and 16-bit values are kept
// zero-extended in 32-bit lanes. Predicates are one 32-bit mask each, in a file of their own.
// Registers share columns when they are never live together. Which reads may see a register that
// was never set is known from the control flow; only those are checked when running.
#pragma once

#include "runtime/sim/Ptx.h"
#include "runtime/sim/SimDevice.h"

#include <map>

namespace sparsec::sim {

struct Warp;
struct Inst;
using Handler = void (*)(Warp &, const Inst &);

constexpr uint32_t noJoin = ~0u;

struct Inst {
  Handler run = nullptr;
  int32_t dst = 0, a = 0, b = 0, c = 0; ///< operands; for predicates: their index
  int32_t guard = -1;                   ///< predicate, or -1
  uint32_t guardFlip = 0;               ///< ~0 when negated
  int64_t imm = 0;                      ///< address offset, or what the handler says
  uint32_t extra = 0;                   ///< first of Program::operands, or branch target
  uint32_t join = noJoin;               ///< where the two ways of a branch meet again
  uint16_t counter = 0;                 ///< of Program::opcodes
  uint8_t count = 0;                    ///< operands in `extra`
  uint8_t flags = 0;                    ///< what the handler says
  uint32_t source = 0;                  ///< of Program::places
  uint32_t tracking = 0;                ///< of Program::tracking, for runTracked
};

struct Place {
  int line = 0, column = 0, length = 1;
};

/// A register column that is filled when a warp starts.
enum class Special : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  LaneId,
  WarpId,
  NwarpId,
  LanemaskEq,
  LanemaskLe,
  LanemaskLt,
  LanemaskGe,
  LanemaskGt,
  SmId,
  NsmId,
  GridId,
  DynamicSharedSize,
  TotalSharedSize,
  Sink, ///< where results go that nobody wants
};

/// Registers that may be read before they are set: which an instruction reads and sets.
struct Tracking {
  Handler run = nullptr;
  std::vector<int> reads, writes, guard;      ///< indices of tracked registers
  std::vector<std::string> names, guardNames; ///< of reads
  int32_t guardColumn = -1;                   ///< looked at after it has been checked
  uint32_t guardFlip = 0;
  bool copies = false; ///< mov: copies "not set" instead of refusing it
};

struct Parameter {
  uint32_t offset = 0, size = 0;
};

/// What an activation of a function that may call itself has of its own: ranges of columns,
/// predicates, tracked registers and local memory.
struct Activation {
  uint32_t columnFirst = 0, columnEnd = 0;
  uint32_t predicateFirst = 0, predicateEnd = 0;
  uint32_t trackedFirst = 0, trackedEnd = 0;
  std::vector<std::pair<uint32_t, uint32_t>> locals; ///< first, end
};

struct Program {
  std::shared_ptr<const SourceText> source;
  std::string entry;
  std::vector<Inst> code;
  std::vector<int32_t> operands;
  std::vector<uint8_t> constants;
  std::vector<Place> places;
  std::vector<std::string> opcodes;
  std::vector<Tracking> tracking;
  std::vector<Activation> recursive;
  std::vector<bool> wideColumns;                     ///< by column / 128: 64-bit lanes
  std::vector<std::pair<Special, int32_t>> specials; ///< and their columns
  std::vector<std::vector<uint32_t>> branchTables;
  std::vector<Parameter> parameters;
  uint32_t registerBytes = 0, predicates = 0, tracked = 0;
  uint32_t parameterBytes = 0, localBytes = 0, staticShared = 0, dynamicSharedStart = 0;
  uint32_t start = 0; ///< of the entry
};

/// Where the variables of a module have been put.
struct ModuleLayout {
  std::vector<uint64_t> addresses; ///< of Module::variables, in their space
};

Result<Program> decode(const Module &module, std::string_view entry, const ModuleLayout &layout,
                       SimFault fault);

} // namespace sparsec::sim
