// A PTX module as text says it: names resolved to declarations, nothing interpreted yet.
//
//   @!%p1 ld.global.v2.b32 {%r1, %r2}, [%rd4+16];
//
//   Instruction { guard %p1 negated; opcode "ld.global.v2.b32", parts {ld, global, v2, b32};
//                 operands { Vector{%r1, %r2}, Address{%rd4, +16} } }
//
// Registers and variables are numbered within their function whatever { } scope declared them; a
// name always means the innermost declaration. Labels are instruction indices. Names are views into
// the text, which the module keeps alive.
// Refused here: malformed text, unknown directives, names that are not declared. Unknown opcodes
// are refused when the instruction is decoded (Decode.h).
#pragma once

#include "patterns/Error.h"

#include <cstdint>
#include <string_view>

namespace sparsec::sim {

enum class Type : uint8_t {
  None,
  Pred,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  F16x2,
  BF16,
  BF16x2,
  TF32,
  F32,
  F64,
};
/// None when the text names no type; "u32" without the dot.
Type typeNamed(std::string_view text);
int sizeOf(Type type); ///< bytes; 0 for None and Pred
bool isSigned(Type type);
bool isFloat(Type type);

enum class Space : uint8_t { Generic, Global, Shared, Local, Const, Param };

struct Operand {
  enum class Kind : uint8_t {
    Register, ///< index: register of the function
    Integer,  ///< bits
    Float,    ///< bits of a double; single: bits of a float (0f...)
    Variable, ///< index: variable (see Function::variables), value: + offset
    Function, ///< name of a function
    Label,    ///< index: instruction, once the function is complete
    Special,  ///< name: %tid.x
    Address,  ///< [list[0] + value]
    Vector,   ///< {list...}
    List,     ///< (list...), of a call
    Sink,     ///< _
  };
  Kind kind = Kind::Sink;
  bool negated = false; ///< !%p
  bool single = false;  ///< Float given as 0f...
  bool global = false;  ///< Variable: of the module, not of the function
  int index = -1;
  int64_t value = 0;
  std::string_view name; ///< as written
  std::vector<Operand> list;
  std::vector<Operand> second; ///< b of a|b: none or one
};

struct Instruction {
  int line = 0, column = 0;
  int guard = -1; ///< register of @p
  bool guardNegated = false;
  std::string_view opcode;             ///< as written, all of it
  std::vector<std::string_view> parts; ///< split at the dots
  std::vector<Operand> operands;
  int scope = 0; ///< where labels are looked up
};

struct Register {
  Type type;
  std::string_view name; ///< of a range %r<9>: the prefix %r
  int number = -1;       ///< in the range
  std::string fullName() const {
    return std::string(name) + (number < 0 ? "" : std::to_string(number));
  }
};

/// An address in an initialiser: patched in when the variable has one.
struct Relocation {
  uint64_t at;
  std::string_view symbol;
  int64_t addend;
};

struct Variable {
  std::string_view name;
  Space space = Space::Global;
  uint64_t align = 1;
  uint64_t size = 0; ///< bytes; 0 for extern arrays (dynamic shared memory)
  bool isExtern = false;
  std::vector<uint8_t> initial; ///< empty: not initialised
  std::vector<Relocation> relocations;
  int line = 0;
};

struct Function {
  std::string_view name;
  bool isEntry = false, isDefined = false;
  int line = 0;
  std::vector<Register> registers;
  std::vector<Variable> variables; ///< of every scope, parameters and results first
  int results = 0, parameters = 0; ///< variables [0, results) and [results, results + parameters)
  std::vector<Instruction> instructions;
  std::vector<std::vector<int>> branchTables; ///< .branchtargets: instruction indices
};

struct Module {
  std::shared_ptr<const SourceText> source;
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::string_view target; ///< sm_80

  const Function *find(std::string_view name) const;
};

Result<Module> parsePtx(std::shared_ptr<const SourceText> source);

} // namespace sparsec::sim
