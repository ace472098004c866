#include "runtime/sim/ProgramDecoder.h"
#include "runtime/sim/Control.h"
#include "runtime/sim/Memory.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace sparsec::sim {

namespace {

struct Family {
  std::string_view opcodes; ///< separated by spaces
  void (*decode)(InstructionDecoder &);
};
constexpr Family families[] = {
    {"mov cvta isspacep", decodeMove},
    {"add sub mul mad mul24 mad24 div rem abs neg min max sad dp4a dp2a addc subc madc",
     decodeInteger},
    {"and or xor not cnot shl shr shf lop3 prmt bfe bfi bfind brev clz popc bmsk fns szext",
     decodeBits},
    {"setp set selp slct", decodeCompare},
    {"fma rcp sqrt rsqrt sin cos lg2 ex2 tanh testp copysign", decodeFloat},
    {"cvt", decodeConvert},
    {"bra brx call ret exit trap brkpt nop pragma nanosleep", decodeControl},
    {"ld ldu st prefetch prefetchu discard applypriority", decodeMemory},
    {"atom red", decodeAtomic},
    {"shfl vote match redux activemask elect", decodeWarp},
    {"bar barrier membar fence", decodeBarrier},
    {"mma ldmatrix stmatrix movmatrix", decodeMatrix},
    {"cp", decodeAsync},
};

bool contains(std::string_view words, std::string_view word) {
  for (size_t at = 0; at < words.size();) {
    size_t end = std::min(words.find(' ', at), words.size());
    if (words.substr(at, end - at) == word)
      return true;
    at = end + 1;
  }
  return false;
}

} // namespace

void ProgramDecoder::refuse(const Instruction &at, std::string message) {
  if (!failure)
    failure = inputError(std::move(message),
                         SourceRange{module.source, at.line, at.column, int(at.opcode.size())});
}

int32_t ProgramDecoder::constant(uint64_t bits, int bytes) {
  int lane = bytes == 8 ? 8 : 4;
  auto [found, isNew] = constants.emplace(std::pair(bits, lane), 0);
  if (isNew) {
    found->second = ~int32_t(program.constants.size());
    for (int i = 0; i < 32; ++i) {
      const uint8_t *from = reinterpret_cast<const uint8_t *>(&bits);
      program.constants.insert(program.constants.end(), from, from + lane);
    }
  }
  return found->second;
}

int ProgramDecoder::specialRegister(Special special) {
  return specials.emplace(special, specialBase + int(special)).first->second;
}

uint64_t ProgramDecoder::addressOf(const Function &function, const Operand &operand, Space &space) {
  const Variable &variable =
      operand.global ? module.variables[operand.index] : function.variables[operand.index];
  space = variable.space;
  if (operand.global)
    return moduleAddresses[operand.index] + operand.value;
  if (space == Space::Param && !function.isEntry)
    space = Space::Local;
  else if (space == Space::Param && operand.index >= function.results + function.parameters)
    space = Space::Local; // an argument of a call
  return bodies[bodyOf[&function]].addresses[operand.index] + operand.value;
}

void ProgramDecoder::collect(const Function &function, std::vector<int> &path) {
  int self = indexOf(function);
  if (auto again = std::find(path.begin(), path.end(), self); again != path.end()) {
    // Everything on the way back to itself is called recursively.
    for (; again != path.end(); ++again)
      bodies[bodyOf[&module.functions[*again]]].recursive = true;
    return;
  }
  if (bodyOf.count(&function) && path.empty())
    return;
  if (!bodyOf.count(&function)) {
    bodyOf[&function] = bodies.size();
    bodies.emplace_back().function = &function;
  } else if (collected.count({path.back(), self})) {
    return;
  }
  if (!path.empty())
    collected.insert({path.back(), self});
  path.push_back(self);
  for (const Instruction &instruction : function.instructions)
    for (const Operand &operand : instruction.operands) {
      if (operand.kind != Operand::Kind::Function || failure)
        continue;
      const Function *callee = module.find(operand.name);
      if (!callee || !callee->isDefined)
        return refuse(instruction,
                      fmt::format("call of {}, which this module does not define", operand.name));
      collect(*callee, path);
    }
  path.pop_back();
}

void ProgramDecoder::decodeBody(Body &body) {
  const Function &function = *body.function;
  for (const Instruction &text : function.instructions) {
    Draft &draft = body.drafts.emplace_back();
    draft.inst.guard = text.guard;
    draft.inst.guardFlip = text.guardNegated ? ~0u : 0;
    draft.inst.source = program.places.size();
    program.places.push_back({text.line, text.column, int(text.opcode.size())});
    auto [found, isNew] = opcodes.emplace(text.opcode, opcodes.size());
    if (isNew)
      program.opcodes.emplace_back(text.opcode);
    if (opcodes.size() > UINT16_MAX)
      return refuse(text, "more different opcodes than sim counts");
    draft.inst.counter = found->second;
    InstructionDecoder decoder(*this, function, text, draft);
    const Family *family = nullptr;
    for (const Family &row : families)
      if (contains(row.opcodes, text.parts[0]))
        family = &row;
    if (!family)
      return refuse(text, fmt::format("sim does not know the instruction {}", text.opcode));
    family->decode(decoder);
    if (!failure && !draft.inst.run)
      refuse(text, fmt::format("sim does not know this form of {}", text.opcode));
    if (failure)
      return;
  }
  // Where every function ends; `ret` in the middle of one goes here, so that lanes meet first.
  Draft &end = body.drafts.emplace_back();
  end.ends = true;
  end.inst.run = function.isEntry ? runExit : runReturn;
  end.inst.source = program.places.size();
  program.places.push_back({function.line, 1, 1});
  auto [found, isNew] = opcodes.emplace("ret", opcodes.size());
  if (isNew)
    program.opcodes.emplace_back("ret");
  end.inst.counter = found->second;
  body.flow = findFlow(body.drafts, function);
}

int32_t ProgramDecoder::columnOf(const Body &body, int reg) const {
  if (reg >= specialBase) {
    for (auto [special, column] : program.specials)
      if (int(special) == reg - specialBase)
        return column;
    return 0;
  }
  return reg < 0 ? reg : body.plan.column[reg];
}

void ProgramDecoder::patch(Body &body, const Draft &draft, Inst &inst) {
  if (draft.fields & 0x11)
    inst.dst = columnOf(body, inst.dst);
  if (draft.fields & 0x22)
    inst.a = columnOf(body, inst.a);
  if (draft.fields & 0x44)
    inst.b = columnOf(body, inst.b);
  if (draft.fields & 0x88)
    inst.c = columnOf(body, inst.c);
  if (inst.guard >= 0)
    inst.guard = body.plan.column[inst.guard];
  if (draft.secondPredicate >= 0)
    inst.imm |= int64_t(columnOf(body, draft.secondPredicate) + 1) << 16;
  if (inst.count)
    for (int i = 0; i < inst.count; ++i) {
      int32_t &operand = program.operands[inst.extra + i];
      operand = columnOf(body, operand);
    }
}

/// An instruction that reads or sets registers which may be unset runs through runTracked.
void ProgramDecoder::track(Body &body, const Draft &draft, Inst &inst) {
  Tracking tracking;
  auto add = [&](int reg, std::vector<int> &to, std::vector<std::string> *names) {
    if (reg < 0 || reg >= specialBase || body.plan.tracked[reg] < 0)
      return;
    to.push_back(body.plan.tracked[reg]);
    if (names)
      names->push_back(body.function->registers[reg].fullName());
  };
  for (int reg : draft.uses)
    add(reg, tracking.reads, &tracking.names);
  for (int reg : draft.defs)
    add(reg, tracking.writes, nullptr);
  if (draft.inst.guard >= 0)
    add(draft.inst.guard, tracking.guard, &tracking.guardNames);
  if (tracking.reads.empty() && tracking.writes.empty() && tracking.guard.empty())
    return;
  tracking.copies = draft.copies;
  tracking.run = inst.run;
  tracking.guardColumn = inst.guard;
  tracking.guardFlip = inst.guardFlip;
  // The check of the guard comes before the guard is looked at.
  if (!tracking.guard.empty())
    inst.guard = -1;
  inst.run = runTracked;
  inst.tracking = program.tracking.size();
  program.tracking.push_back(std::move(tracking));
}

void ProgramDecoder::emit(Body &body, std::vector<uint32_t> &blockStart) {
  std::vector<bool> joins(body.flow.blocks.size());
  for (const Flow::BasicBlock &block : body.flow.blocks)
    if (block.successors.size() > 1 && block.postDominator >= 0)
      joins[block.postDominator] = true;
  uint32_t at = program.code.size();
  body.start = at;
  for (size_t b = 0; b < body.flow.blocks.size(); ++b) {
    blockStart.push_back(at);
    at += joins[b] + body.flow.blocks[b].last - body.flow.blocks[b].first;
  }
  for (size_t b = 0; b < body.flow.blocks.size(); ++b) {
    const Flow::BasicBlock &block = body.flow.blocks[b];
    if (joins[b]) {
      Inst join;
      join.run = runJoin;
      join.source = body.drafts[block.first].inst.source;
      join.counter = joinCounter;
      program.code.push_back(join);
    }
    for (int i = block.first; i < block.last; ++i) {
      const Draft &draft = body.drafts[i];
      Inst inst = draft.inst;
      patch(body, draft, inst);
      if (draft.target >= 0)
        inst.extra = blockStart[body.flow.blockOf[draft.target]];
      if (draft.table >= 0) {
        inst.extra = program.branchTables.size();
        std::vector<uint32_t> &table = program.branchTables.emplace_back();
        for (int target : body.function->branchTables[draft.table])
          table.push_back(blockStart[body.flow.blockOf[target]]);
      }
      if (draft.branches && block.postDominator >= 0)
        inst.join = blockStart[block.postDominator];
      if (draft.callee >= 0)
        inst.imm = draft.callee; // its body; the address follows when all are placed
      track(body, draft, inst);
      program.code.push_back(inst);
    }
  }
}

Result<Program> ProgramDecoder::run(std::string_view entry) {
  program.source = module.source;
  program.entry = entry;
  const Function *function = module.find(entry);
  if (!function || !function->isEntry || !function->isDefined) {
    std::string known;
    for (const Function &other : module.functions)
      if (other.isEntry)
        known += (known.empty() ? "" : ", ") + std::string(other.name);
    return inputError(fmt::format("{}: no entry {}; it has: {}", module.source->name, entry,
                                  known.empty() ? "none" : known));
  }
  std::vector<int> path;
  collect(*function, path);
  if (!failure)
    placeVariables();
  program.opcodes.emplace_back("join");
  opcodes.emplace("join", joinCounter);
  for (Body &body : bodies) {
    if (!failure)
      decodeBody(body);
    body.activation = {nextColumn, 0, nextPredicate, 0, nextTracked, 0, body.activation.locals};
    if (!failure)
      planRegisters(body);
    body.activation.columnEnd = nextColumn;
    body.activation.predicateEnd = nextPredicate;
    body.activation.trackedEnd = nextTracked;
    if (body.recursive) {
      body.activationIndex = program.recursive.size();
      program.recursive.push_back(body.activation);
    }
  }
  if (failure)
    return *failure;
  for (auto [special, reg] : specials) {
    program.specials.push_back({special, int32_t(nextColumn)});
    nextColumn += 256;
  }
  for (Body &body : bodies) {
    std::vector<uint32_t> blockStart;
    emit(body, blockStart);
  }
  for (size_t i = 0; i < program.code.size(); ++i) {
    Inst &inst = program.code[i];
    if (inst.run == runCall) {
      const Body &callee = bodies[bodyOf[&module.functions[inst.imm]]];
      inst.extra = callee.start;
      inst.imm = callee.activationIndex;
    }
  }
  program.start = bodies[0].start;
  program.registerBytes = nextColumn;
  program.predicates = nextPredicate;
  program.tracked = nextTracked;
  return std::move(program);
}

Result<Program> decode(const Module &module, std::string_view entry, const ModuleLayout &layout,
                       SimFault fault) {
  return ProgramDecoder(module, layout, fault).run(entry);
}

} // namespace sparsec::sim
