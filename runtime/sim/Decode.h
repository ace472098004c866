// From the text of an instruction to an Inst. Each family of instructions has one file with its
// handlers and the function that chooses among them; Decode.cpp has the table of opcodes.
//
//   void decodeAdd(InstructionDecoder &d) {
//     Type type = d.takeType();
//     d.dst(0, type), d.a(1, type), d.b(2, type);
//     d.run(type == Type::U64 ? add<uint64_t> : add<uint32_t>);
//   }
//
// A modifier that no one takes, an operand too many, a register of the wrong width: refused, at its
// line. The first complaint wins; after it nothing matters.
#pragma once

#include "runtime/sim/Program.h"

#include <initializer_list>

namespace sparsec::sim {

class ProgramDecoder;

/// What an instruction reads and sets, until registers have columns.
struct Draft {
  Inst inst;
  std::vector<int> uses, defs; ///< registers, predicates included
  uint8_t fields = 0;  ///< which of dst, a, b, c are columns (bits 0 to 3) or predicates (4 to 7)
  bool copies = false; ///< "not set" may pass through
  bool branches = false, ends = false; ///< ends: never goes on to the next instruction
  int target = -1;                     ///< instruction of the function
  int table = -1;                      ///< .branchtargets
  int callee = -1;                     ///< function
  int secondPredicate = -1;            ///< q of setp p|q: goes to bits 16 and up of imm
};

class InstructionDecoder {
public:
  InstructionDecoder(ProgramDecoder &program, const Function &function, const Instruction &text,
                     Draft &draft);

  std::string_view opcode() const { return text.parts[0]; }
  bool take(std::string_view modifier);
  /// The index of the one that is there, or -1.
  int takeOneOf(std::initializer_list<std::string_view> modifiers);
  Type takeType();
  std::string_view nextModifier() const { return modifiers.empty() ? "" : modifiers.front(); }
  std::string_view takeAny(); ///< the next modifier whatever it is; "" when there is none

  // Operands by position. Each must have the width of the type; `wider` allows more.
  enum class Width : uint8_t { Exact, Wider };
  void dst(int operand, Type type, Width width = Width::Exact);
  void a(int operand, Type type, Width width = Width::Exact);
  void b(int operand, Type type, Width width = Width::Exact);
  void c(int operand, Type type, Width width = Width::Exact);
  void dstPredicate(const Operand &operand);
  void aPredicate(const Operand &operand); ///< negation: flag 0x80
  void bPredicate(const Operand &operand); ///< negation: flag 0x40
  void cPredicate(const Operand &operand); ///< negation: flag 0x20

  int32_t use(const Operand &operand, Type type, Width width = Width::Exact);
  int32_t def(const Operand &operand, Type type, Width width = Width::Exact);
  int32_t constant(uint64_t bits, int bytes);
  /// Columns beyond four; Inst::extra is the first, Inst::count grows.
  void extra(int32_t column);
  /// Numbers for the handler in Program::operands, at Inst::extra; excludes extra columns.
  void meta(std::initializer_list<int32_t> numbers);
  /// Width in bytes of the register that an operand names; `type`'s when it is no register.
  int widthOf(const Operand &operand, Type type) const;

  const Operand &operand(int i);
  int operands() const { return text.operands.size(); }
  /// The elements of {a, b}, or the one operand.
  std::vector<const Operand *> elements(const Operand &operand) const;
  /// A memory operand: a = address, imm = offset; true when the address is a 32-bit register.
  bool address(const Operand &operand, Space &space);

  Inst &inst() { return draft.inst; }
  void run(Handler handler) { draft.inst.run = handler; }
  void expect(bool condition, std::string_view message) {
    if (!condition)
      refuse(message);
  }
  void refuse(std::string_view message);
  /// Everything that was written has been understood; there are exactly `count` operands.
  void finish(int count);

  Draft &draft;
  ProgramDecoder &program;
  const Function &function;
  const Instruction &text;

private:
  std::vector<std::string_view> modifiers;
};

// One per file of handlers: chooses the handler for an opcode of the family.
void decodeMove(InstructionDecoder &d);
void decodeInteger(InstructionDecoder &d);
void decodeBits(InstructionDecoder &d);
void decodeCompare(InstructionDecoder &d);
void decodeFloat(InstructionDecoder &d);
void decodeHalf(InstructionDecoder &d);
void decodeConvert(InstructionDecoder &d);
void decodeControl(InstructionDecoder &d);
void decodeMemory(InstructionDecoder &d);
void decodeAtomic(InstructionDecoder &d);
void decodeWarp(InstructionDecoder &d);
void decodeBarrier(InstructionDecoder &d);
void decodeMatrix(InstructionDecoder &d);
void decodeAsync(InstructionDecoder &d);

} // namespace sparsec::sim
