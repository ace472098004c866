#include "runtime/sim/Decode.h"
#include "runtime/sim/ProgramDecoder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace sparsec::sim {

namespace {

struct SpecialRow {
  std::string_view name;
  Special special;
};
constexpr SpecialRow specialRows[] = {
    {"%tid.x", Special::TidX},
    {"%tid.y", Special::TidY},
    {"%tid.z", Special::TidZ},
    {"%ntid.x", Special::NtidX},
    {"%ntid.y", Special::NtidY},
    {"%ntid.z", Special::NtidZ},
    {"%ctaid.x", Special::CtaidX},
    {"%ctaid.y", Special::CtaidY},
    {"%ctaid.z", Special::CtaidZ},
    {"%nctaid.x", Special::NctaidX},
    {"%nctaid.y", Special::NctaidY},
    {"%nctaid.z", Special::NctaidZ},
    {"%laneid", Special::LaneId},
    {"%warpid", Special::WarpId},
    {"%nwarpid", Special::NwarpId},
    {"%lanemask_eq", Special::LanemaskEq},
    {"%lanemask_le", Special::LanemaskLe},
    {"%lanemask_lt", Special::LanemaskLt},
    {"%lanemask_ge", Special::LanemaskGe},
    {"%lanemask_gt", Special::LanemaskGt},
    {"%smid", Special::SmId},
    {"%nsmid", Special::NsmId},
    {"%gridid", Special::GridId},
    {"%dynamic_smem_size", Special::DynamicSharedSize},
    {"%total_smem_size", Special::TotalSharedSize},
};

} // namespace

InstructionDecoder::InstructionDecoder(ProgramDecoder &program, const Function &function,
                                       const Instruction &text, Draft &draft)
    : draft(draft), program(program), function(function), text(text),
      modifiers(text.parts.begin() + 1, text.parts.end()) {}

bool InstructionDecoder::take(std::string_view modifier) {
  auto found = std::find(modifiers.begin(), modifiers.end(), modifier);
  if (found == modifiers.end())
    return false;
  modifiers.erase(found);
  return true;
}

int InstructionDecoder::takeOneOf(std::initializer_list<std::string_view> among) {
  int index = 0;
  for (std::string_view modifier : among) {
    if (take(modifier))
      return index;
    ++index;
  }
  return -1;
}

Type InstructionDecoder::takeType() {
  for (size_t i = 0; i < modifiers.size(); ++i)
    if (Type type = typeNamed(modifiers[i]); type != Type::None) {
      modifiers.erase(modifiers.begin() + i);
      return type;
    }
  refuse("expected a type");
  return Type::B32;
}

std::string_view InstructionDecoder::takeAny() {
  if (modifiers.empty())
    return "";
  std::string_view first = modifiers.front();
  modifiers.erase(modifiers.begin());
  return first;
}

void InstructionDecoder::refuse(std::string_view message) {
  program.refuse(text, fmt::format("{}: {}", text.opcode, message));
}

void InstructionDecoder::finish(int count) {
  if (!modifiers.empty())
    refuse(fmt::format("sim does not know the modifier .{} here", modifiers.front()));
  if (operands() != count)
    refuse(fmt::format("expected {} operands, found {}", count, operands()));
}

const Operand &InstructionDecoder::operand(int i) {
  static const Operand none;
  if (i < operands())
    return text.operands[i];
  refuse(fmt::format("expected an operand {}", i + 1));
  return none;
}

std::vector<const Operand *> InstructionDecoder::elements(const Operand &operand) const {
  if (operand.kind != Operand::Kind::Vector)
    return {&operand};
  std::vector<const Operand *> all;
  for (const Operand &element : operand.list)
    all.push_back(&element);
  return all;
}

int32_t InstructionDecoder::constant(uint64_t bits, int bytes) {
  return program.constant(bits, bytes);
}

int InstructionDecoder::widthOf(const Operand &operand, Type type) const {
  if (operand.kind == Operand::Kind::Register)
    return sizeOf(function.registers[operand.index].type);
  return sizeOf(type);
}

int32_t InstructionDecoder::use(const Operand &operand, Type type, Width width) {
  int size = sizeOf(type);
  switch (operand.kind) {
  case Operand::Kind::Register: {
    int have = sizeOf(function.registers[operand.index].type);
    if (have == 0 || have > 8 || (width == Width::Exact ? have != size : have < size))
      refuse(fmt::format("expected a register of {} bits", size * 8));
    draft.uses.push_back(operand.index);
    return operand.index;
  }
  case Operand::Kind::Integer: {
    uint64_t bits = operand.value;
    if (type == Type::F32 || type == Type::F64)
      refuse("expected a floating-point operand, found an integer");
    if (size < 8)
      bits &= (uint64_t(1) << size * 8) - 1;
    return constant(bits, size);
  }
  case Operand::Kind::Float: {
    uint64_t bits = operand.value;
    if (!operand.single && size == 4) {
      float narrow = __builtin_bit_cast(double, bits);
      bits = __builtin_bit_cast(uint32_t, narrow);
    }
    if (size < 4 || (operand.single && size != 4))
      refuse(fmt::format("expected an operand of {} bits", size * 8));
    return constant(bits, size);
  }
  case Operand::Kind::Variable: {
    Space space;
    uint64_t address = program.addressOf(function, operand, space);
    if (size < 4)
      refuse("expected a register wide enough for an address");
    return constant(size == 4 ? uint32_t(address) : address, size);
  }
  case Operand::Kind::Special:
    if (operand.name == "WARP_SZ")
      return constant(32, size);
    for (const SpecialRow &row : specialRows)
      if (row.name == operand.name) {
        if (size > 4)
          refuse("expected a 32-bit use of a special register");
        return program.specialRegister(row.special);
      }
    refuse(fmt::format("sim does not know the special register {}", operand.name));
    return 0;
  default:
    refuse("expected a register or a number");
    return 0;
  }
}

int32_t InstructionDecoder::def(const Operand &operand, Type type, Width width) {
  if (operand.kind == Operand::Kind::Sink)
    return program.specialRegister(Special::Sink);
  if (operand.kind != Operand::Kind::Register) {
    refuse("expected a register as destination");
    return 0;
  }
  int have = sizeOf(function.registers[operand.index].type), size = sizeOf(type);
  if (have == 0 || have > 8 || (width == Width::Exact ? have != size : have < size))
    refuse(fmt::format("expected a register of {} bits as destination", size * 8));
  draft.defs.push_back(operand.index);
  return operand.index;
}

void InstructionDecoder::dst(int i, Type type, Width width) {
  inst().dst = def(operand(i), type, width);
  draft.fields |= 1;
}
void InstructionDecoder::a(int i, Type type, Width width) {
  inst().a = use(operand(i), type, width);
  draft.fields |= 2;
}
void InstructionDecoder::b(int i, Type type, Width width) {
  inst().b = use(operand(i), type, width);
  draft.fields |= 4;
}
void InstructionDecoder::c(int i, Type type, Width width) {
  inst().c = use(operand(i), type, width);
  draft.fields |= 8;
}

void InstructionDecoder::dstPredicate(const Operand &operand) {
  draft.fields |= 0x10;
  if (operand.kind == Operand::Kind::Sink) {
    inst().dst = -1;
    return;
  }
  if (operand.kind != Operand::Kind::Register ||
      function.registers[operand.index].type != Type::Pred)
    return refuse("expected a predicate as destination");
  inst().dst = operand.index;
  draft.defs.push_back(operand.index);
}

void InstructionDecoder::extra(int32_t column) {
  if (inst().count == 0)
    inst().extra = program.result().operands.size();
  ++inst().count;
  program.result().operands.push_back(column);
}

void InstructionDecoder::meta(std::initializer_list<int32_t> numbers) {
  std::vector<int32_t> &all = program.result().operands;
  inst().extra = all.size();
  all.insert(all.end(), numbers);
}

#define SPARSEC_PREDICATE_FIELD(field, bit, negation)                                              \
  void InstructionDecoder::field##Predicate(const Operand &operand) {                              \
    if (operand.kind != Operand::Kind::Register ||                                                 \
        function.registers[operand.index].type != Type::Pred)                                      \
      return refuse("expected a predicate");                                                       \
    inst().field = operand.index;                                                                  \
    inst().flags |= operand.negated ? negation : 0;                                                \
    draft.fields |= bit;                                                                           \
    draft.uses.push_back(operand.index);                                                           \
  }
SPARSEC_PREDICATE_FIELD(a, 0x20, 0x80)
SPARSEC_PREDICATE_FIELD(b, 0x40, 0x40)
SPARSEC_PREDICATE_FIELD(c, 0x80, 0x20)
#undef SPARSEC_PREDICATE_FIELD

bool InstructionDecoder::address(const Operand &operand, Space &space) {
  draft.fields |= 2;
  if (operand.kind != Operand::Kind::Address) {
    refuse("expected an address in [ ]");
    return false;
  }
  inst().imm = operand.value;
  if (operand.list.empty()) {
    inst().a = constant(0, 8);
    return false;
  }
  const Operand &base = operand.list[0];
  if (base.kind == Operand::Kind::Variable) {
    Space own;
    inst().a = constant(program.addressOf(function, base, own), 8);
    if (space == Space::Generic || own == Space::Local || own == Space::Param)
      space = own;
    return false;
  }
  if (space == Space::Param)
    space = Space::Generic; // an address that was computed: its window says which
  if (base.kind != Operand::Kind::Register) {
    refuse("expected a register or a variable as address");
    return false;
  }
  bool narrow = sizeOf(function.registers[base.index].type) == 4;
  inst().a = use(base, narrow ? Type::B32 : Type::B64);
  return narrow;
}

} // namespace sparsec::sim
