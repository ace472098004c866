// Decodes an entry and the functions it calls into one Program.
#pragma once

#include "runtime/sim/Decode.h"

#include <set>
#include <unordered_map>

namespace sparsec::sim {

/// The control flow of one function, over its drafts.
struct Flow {
  struct BasicBlock {
    int first = 0, last = 0; ///< drafts [first, last)
    std::vector<int> successors, predecessors;
    int postDominator = -1; ///< immediate; -1: the function ends first
  };
  std::vector<BasicBlock> blocks;
  std::vector<int> blockOf; ///< of each draft
};

Flow findFlow(const std::vector<Draft> &drafts, const Function &function);

/// Columns for registers, and which of them may be read before they are set.
struct RegisterPlan {
  std::vector<int32_t> column; ///< bytes, or index of a predicate
  std::vector<int> tracked;    ///< index among tracked registers, or -1
};

class ProgramDecoder {
public:
  ProgramDecoder(const Module &module, const ModuleLayout &layout, SimFault chosenFault)
      : module(module), layout(layout), chosenFault(chosenFault) {}

  Result<Program> run(std::string_view entry);

  // For InstructionDecoder.
  int32_t constant(uint64_t bits, int bytes);
  int specialRegister(Special special); ///< a register id past all functions' own
  void refuse(const Instruction &at, std::string message);
  const Module &modul() const { return module; }
  /// Space and address of a variable as an operand of `function` names it.
  uint64_t addressOf(const Function &function, const Operand &operand, Space &space);
  SimFault fault() const { return chosenFault; }
  Program &result() { return program; }
  const std::optional<Error> &refused() const { return failure; }
  int indexOf(const Function &function) const { return &function - module.functions.data(); }

  static constexpr int specialBase = 1 << 28;

private:
  struct Body {
    const Function *function = nullptr;
    std::vector<Draft> drafts;
    Flow flow;
    std::vector<uint64_t> addresses; ///< of variables
    RegisterPlan plan;
    uint32_t start = 0; ///< of the code
    bool recursive = false;
    Activation activation;
    int activationIndex = -1;
  };

  void collect(const Function &function, std::vector<int> &path);
  void placeVariables();
  void placeShared(const Variable &variable, uint64_t &address);
  /// Refuses a variable that would take its space beyond what a machine has.
  bool fits(const Variable &variable, uint64_t end, uint64_t most, std::string_view of);
  void decodeBody(Body &body);
  void planRegisters(Body &body);
  std::vector<bool> findUnset(const Body &body) const;
  void allocate(Body &body);
  void emit(Body &body, std::vector<uint32_t> &blockStart);
  void patch(Body &body, const Draft &draft, Inst &inst);
  void track(Body &body, const Draft &draft, Inst &inst);
  int32_t columnOf(const Body &body, int reg) const;

  const Module &module;
  const ModuleLayout &layout;
  SimFault chosenFault;
  Program program;
  std::optional<Error> failure;
  std::vector<Body> bodies; ///< entry first
  std::unordered_map<const Function *, int> bodyOf;
  std::set<std::pair<int, int>> collected; ///< caller and callee
  std::vector<uint64_t> moduleAddresses;
  std::map<std::pair<uint64_t, int>, int32_t> constants;
  std::map<Special, int> specials;
  std::unordered_map<std::string_view, int> opcodes;
  uint32_t sharedEnd = 0, dynamicAlign = 16;
  uint32_t nextColumn = 0, nextPredicate = 0, nextTracked = 0;
};

/// Calls visit(operand) for every operand, the nested ones too.
template <class Visit>
void forOperands(const std::vector<Operand> &operands, const Visit &visit) {
  for (const Operand &operand : operands) {
    visit(operand);
    forOperands(operand.list, visit);
    forOperands(operand.second, visit);
  }
}

} // namespace sparsec::sim
