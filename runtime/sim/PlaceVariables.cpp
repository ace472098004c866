// Where a program's variables lie: the module's, and the locals and parameters of its functions.
#include "runtime/sim/Memory.h"
#include "runtime/sim/ProgramDecoder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace sparsec::sim {

static uint64_t roundUp(uint64_t value, uint64_t to) {
  return (value + to - 1) / to * to;
}

bool ProgramDecoder::fits(const Variable &variable, uint64_t end, uint64_t most,
                          std::string_view of) {
  if (variable.size <= most && end + variable.size <= most)
    return true;
  if (!failure)
    failure = inputError(fmt::format("expected at most {} bytes of {}, {} needs {}", most, of,
                                     variable.name, variable.size),
                         SourceRange{module.source, variable.line, 1, 1});
  return false;
}

void ProgramDecoder::placeShared(const Variable &variable, uint64_t &address) {
  if (variable.size == 0) {
    dynamicAlign = std::max<uint32_t>(dynamicAlign, variable.align);
    return;
  }
  sharedEnd = roundUp(sharedEnd, variable.align);
  if (!fits(variable, sharedEnd - sharedStart, mostShared, "shared memory"))
    return;
  address = sharedEnd;
  sharedEnd += variable.size;
}

/// Module variables as the layout says; shared ones that are used here; and of functions (which are
/// not recursive, so that each has one frame) locals and parameters.
/// Long: a case for each space that a variable may lie in.
void ProgramDecoder::placeVariables() {
  sharedEnd = sharedStart;
  moduleAddresses = layout.addresses;
  std::vector<bool> used(module.variables.size());
  for (const Body &body : bodies)
    for (const Instruction &instruction : body.function->instructions)
      forOperands(instruction.operands, [&](const Operand &operand) {
        if (operand.kind == Operand::Kind::Variable && operand.global)
          used[operand.index] = true;
      });
  for (size_t i = 0; i < used.size(); ++i)
    if (used[i] && module.variables[i].space == Space::Shared)
      placeShared(module.variables[i], moduleAddresses[i]);
  uint64_t localEnd = localStart;
  for (Body &body : bodies) {
    const Function &function = *body.function;
    body.addresses.resize(function.variables.size());
    int parameters = function.results + function.parameters;
    for (size_t i = 0; i < function.variables.size(); ++i) {
      const Variable &variable = function.variables[i];
      uint64_t align = std::max<uint64_t>(variable.align, 1);
      if (variable.space == Space::Shared) {
        placeShared(variable, body.addresses[i]);
      } else if (function.isEntry && int(i) < parameters) {
        program.parameterBytes = roundUp(program.parameterBytes, align);
        if (!fits(variable, program.parameterBytes, mostParameters, "parameters"))
          return;
        body.addresses[i] = paramWindow + program.parameterBytes;
        program.parameters.push_back({program.parameterBytes, uint32_t(variable.size)});
        program.parameterBytes += variable.size;
      } else {
        localEnd = roundUp(localEnd, std::max<uint64_t>(align, 16));
        if (!fits(variable, localEnd, mostLocal, "local memory"))
          return;
        body.addresses[i] = localEnd;
        localEnd += variable.size;
        // Parameters and results are what a call and its caller share.
        if (int(i) >= parameters)
          body.activation.locals.push_back({uint32_t(body.addresses[i]), uint32_t(localEnd)});
      }
    }
  }
  // The variables in which a caller passes arguments are the callee's own: nothing is copied.
  for (Body &body : bodies)
    for (const Instruction &instruction : body.function->instructions) {
      if (instruction.parts[0] != "call")
        continue;
      const Function *callee = nullptr;
      std::vector<const Operand *> lists;
      for (const Operand &operand : instruction.operands) {
        if (operand.kind == Operand::Kind::Function)
          callee = module.find(operand.name);
        else
          lists.push_back(&operand);
      }
      std::vector<const Operand *> arguments;
      for (const Operand *list : lists)
        for (const Operand &argument : list->list)
          arguments.push_back(&argument);
      if (!callee || int(arguments.size()) != callee->results + callee->parameters)
        return refuse(instruction, "expected as many arguments as the function has");
      for (size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i]->kind != Operand::Kind::Variable || arguments[i]->global ||
            arguments[i]->index < (body.function->results + body.function->parameters))
          return refuse(instruction, "expected .param variables of the call as arguments");
        body.addresses[arguments[i]->index] = bodies[bodyOf[callee]].addresses[i];
      }
    }
  program.localBytes = roundUp(localEnd, 16);
  // Module-level extern arrays all name the start of the dynamic shared memory.
  program.dynamicSharedStart = roundUp(sharedEnd, dynamicAlign);
  for (size_t i = 0; i < used.size(); ++i)
    if (module.variables[i].space == Space::Shared && module.variables[i].size == 0)
      moduleAddresses[i] = program.dynamicSharedStart;
  program.staticShared = sharedEnd - sharedStart;
}

} // namespace sparsec::sim
