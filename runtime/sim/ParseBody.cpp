#include "runtime/sim/Parser.h"

#include <fmt/core.h>

#include <cstdlib>
#include <cstring>

namespace sparsec::sim {

namespace {

bool isSpecialName(std::string_view name) {
  for (std::string_view prefix : {"%tid",
                                  "%ntid",
                                  "%ctaid",
                                  "%nctaid",
                                  "%laneid",
                                  "%warpid",
                                  "%nwarpid",
                                  "%lanemask_",
                                  "%clock",
                                  "%globaltimer",
                                  "%smid",
                                  "%nsmid",
                                  "%gridid",
                                  "%dynamic_smem_size",
                                  "%total_smem_size",
                                  "%envreg",
                                  "%clusterid",
                                  "%nclusterid",
                                  "%cluster_",
                                  "%is_explicit",
                                  "%aggr_smem_size",
                                  "%pm",
                                  "%reserved_smem"})
    if (name.substr(0, prefix.size()) == prefix)
      return true;
  return name == "WARP_SZ";
}

std::string_view withoutDigits(std::string_view name) {
  while (!name.empty() && name.back() >= '0' && name.back() <= '9')
    name.remove_suffix(1);
  return name;
}

} // namespace

void Parser::addVariable(Variable variable) {
  scopes[scope].variables[variable.name] = function->variables.size();
  function->variables.push_back(std::move(variable));
}

bool Parser::findVariable(std::string_view name, Operand &operand) const {
  operand.kind = Operand::Kind::Variable;
  operand.name = name;
  for (int at = scope; at >= 0; at = scopes[at].parent)
    if (auto found = scopes[at].variables.find(name); found != scopes[at].variables.end()) {
      operand.index = found->second;
      return true;
    }
  auto found = moduleVariables.find(name);
  if (found == moduleVariables.end())
    return false;
  operand.index = found->second;
  operand.global = true;
  return true;
}

int Parser::findRegister(std::string_view name) const {
  std::string_view prefix = withoutDigits(name), digits = name.substr(prefix.size());
  for (int at = scope; at >= 0; at = scopes[at].parent) {
    if (auto found = scopes[at].registers.find(name); found != scopes[at].registers.end())
      return found->second;
    if (digits.empty())
      continue;
    if (auto found = scopes[at].ranges.find(prefix); found != scopes[at].ranges.end()) {
      uint64_t number = 0;
      if (digits.size() <= 9 && (digits == "0" || digits[0] != '0')) {
        for (char c : digits)
          number = number * 10 + (c - '0');
        if (number < uint64_t(found->second.second))
          return found->second.first + int(number);
      }
    }
  }
  return -1;
}

void Parser::parseRegisters() {
  lexer.take(); // .reg
  Type type = Type::None;
  while (lexer.peek().kind == Token::Kind::Directive) {
    Token token = lexer.take();
    type = typeNamed(token.text.substr(1));
    if (type == Type::None)
      return fail(token, "expected the type of a register");
  }
  do {
    Token name = lexer.take();
    if (name.kind != Token::Kind::Word || type == Type::None)
      return fail(name, "expected a register's type and name");
    int first = function->registers.size(), count = 1;
    bool range = lexer.at('<');
    if (lexer.takeIf('<')) {
      count = parseInteger("as number of registers");
      expect('>', "after the number of registers");
      if (count < 0 || count > 1 << 20)
        return fail(name, "expected less than 2^20 registers");
      scopes[scope].ranges[name.text] = {first, count};
    } else {
      scopes[scope].registers[name.text] = first;
    }
    for (int i = 0; i < count; ++i)
      function->registers.push_back({type, name.text, range ? i : -1});
  } while (!failure && lexer.takeIf(','));
  expect(';', "to end .reg");
}

Operand Parser::parseNumber() {
  Operand operand;
  operand.kind = Operand::Kind::Integer;
  bool negative = lexer.takeIf('-');
  if (!negative)
    lexer.takeIf('+');
  Token token = lexer.take();
  std::string_view text = token.text;
  uint64_t bits = 0;
  bool single = text.size() == 10 && text[0] == '0' && (text[1] == 'f' || text[1] == 'F');
  bool wide = text.size() == 18 && text[0] == '0' && (text[1] == 'd' || text[1] == 'D');
  if (token.kind == Token::Kind::Number && (single || wide)) {
    if (!integerLiteral(fmt::format("0x{}", text.substr(2)), bits))
      fail(token, "expected hexadecimal digits of a float");
    operand.kind = Operand::Kind::Float;
    operand.single = single;
    operand.value = negative ? bits ^ (uint64_t(1) << (single ? 31 : 63)) : bits;
  } else if (token.kind == Token::Kind::Number && integerLiteral(text, bits)) {
    operand.value = negative ? -bits : bits;
  } else if (token.kind == Token::Kind::Number && text.find('.') != text.npos) {
    double value = std::strtod(std::string(text).c_str(), nullptr);
    value = negative ? -value : value;
    operand.kind = Operand::Kind::Float;
    std::memcpy(&operand.value, &value, 8);
  } else {
    fail(token, "expected a number");
  }
  return operand;
}

void Parser::parseList(Operand &operand, char close) {
  lexer.take();
  while (!failure && !lexer.takeIf(close)) {
    operand.list.push_back(parseOperand());
    if (!lexer.at(close))
      expect(',', "between operands");
  }
}

Operand Parser::parseAddress() {
  Operand operand;
  operand.kind = Operand::Kind::Address;
  lexer.take();
  Operand base = parseOperand();
  if (base.kind == Operand::Kind::Integer)
    operand.value = base.value;
  else {
    operand.value = base.value; // [symbol+8] has been folded into the symbol
    base.value = 0;
    operand.list.push_back(std::move(base));
  }
  if (lexer.takeIf('+'))
    operand.value += parseInteger("as offset");
  else if (lexer.at('-'))
    operand.value += parseInteger("as offset");
  expect(']', "to close the address");
  return operand;
}

Operand Parser::parseWord() {
  Operand operand;
  Token token = lexer.take();
  operand.name = token.text;
  if (token.text == "_")
    return operand;
  if (int found = findRegister(token.text); found >= 0) {
    operand.kind = Operand::Kind::Register;
    operand.index = found;
    return operand;
  }
  if (findVariable(token.text, operand)) {
    if (lexer.takeIf('+'))
      operand.value = parseInteger("as offset");
    return operand;
  }
  if (isSpecialName(token.text)) {
    operand.kind = Operand::Kind::Special;
    return operand;
  }
  if (token.text[0] == '%')
    fail(token, "expected a declared register");
  // A label or a function: resolved when the function is complete.
  operand.kind = Operand::Kind::Label;
  operand.index = -1;
  operand.value = (int64_t(token.line) << 32) | token.column;
  return operand;
}

Operand Parser::parseOperand() {
  Operand operand;
  if (++depth > 16) {
    fail(lexer.peek(), "expected less deeply nested operands");
  } else if (lexer.takeIf('!')) {
    operand = parseWord();
    operand.negated = true;
  } else if (lexer.at('[')) {
    operand = parseAddress();
  } else if (lexer.at('{')) {
    operand.kind = Operand::Kind::Vector;
    parseList(operand, '}');
  } else if (lexer.at('(')) {
    operand.kind = Operand::Kind::List;
    parseList(operand, ')');
  } else if (lexer.peek().kind == Token::Kind::Word) {
    operand = parseWord();
  } else if (lexer.peek().kind == Token::Kind::Number || lexer.at('-') || lexer.at('+')) {
    operand = parseNumber();
  } else {
    fail(lexer.peek(), "expected an operand");
  }
  if (!failure && lexer.takeIf('|'))
    operand.second.push_back(parseOperand());
  --depth;
  return operand;
}

void Parser::parseInstruction() {
  Instruction instruction;
  instruction.scope = scope;
  if (lexer.takeIf('@')) {
    instruction.guardNegated = lexer.takeIf('!');
    Token guard = lexer.take();
    instruction.guard = findRegister(guard.text);
    if (instruction.guard < 0 || function->registers[instruction.guard].type != Type::Pred)
      return fail(guard, "expected a predicate register");
  }
  if (lexer.peek().kind != Token::Kind::Word)
    return fail(lexer.peek(), "expected an instruction");
  Token opcode = lexer.takeOpcode();
  instruction.line = opcode.line;
  instruction.column = opcode.column;
  instruction.opcode = opcode.text;
  for (std::string_view rest = opcode.text; !rest.empty();) {
    size_t dot = rest.find('.');
    instruction.parts.push_back(rest.substr(0, dot));
    rest = dot == rest.npos ? std::string_view() : rest.substr(dot + 1);
  }
  while (!failure && !lexer.at(';')) {
    instruction.operands.push_back(parseOperand());
    if (!lexer.at(';'))
      expect(',', "between operands");
  }
  expect(';', "to end the instruction");
  function->instructions.push_back(std::move(instruction));
}

void Parser::parseBranchTargets(std::string_view label) {
  lexer.take();
  scopes[scope].branchTables[label] = function->branchTables.size();
  std::vector<int> &table = function->branchTables.emplace_back();
  // Kept as views until the labels are known: as pending names.
  while (!failure && !lexer.at(';')) {
    Token name = lexer.take();
    pendingTargets.push_back(
        {int(function->branchTables.size()) - 1, int(table.size()), scope, name});
    table.push_back(-1);
    if (!lexer.at(';'))
      expect(',', "between branch targets");
  }
  expect(';', "to end .branchtargets");
}

void Parser::parseStatement() {
  const Token &token = lexer.peek();
  if (token.kind == Token::Kind::Directive) {
    if (token.text == ".reg")
      return parseRegisters();
    Space space = token.text == ".local"    ? Space::Local
                  : token.text == ".shared" ? Space::Shared
                  : token.text == ".param"  ? Space::Param
                  : token.text == ".global" ? Space::Global
                  : token.text == ".const"  ? Space::Const
                                            : Space::Generic;
    if (space == Space::Generic)
      return skipDirective();
    lexer.take();
    for (Variable &variable : parseVariables(space))
      addVariable(std::move(variable));
    expect(';', "to end the declaration");
    return;
  }
  if (token.kind == Token::Kind::Word) {
    // A label is a word and a colon; opcodes are never followed by one.
    Lexer ahead = lexer;
    Token word = ahead.take();
    if (ahead.at(':')) {
      lexer = ahead;
      lexer.take();
      if (lexer.at(".branchtargets"))
        return parseBranchTargets(word.text);
      if (lexer.at(".callprototype"))
        return fail(lexer.peek(), "expected direct calls only");
      if (!scopes[scope].labels.emplace(word.text, function->instructions.size()).second)
        fail(word, "expected a label that is new in its scope");
      return;
    }
  }
  parseInstruction();
}

void Parser::parseBody() {
  expect('{', "to open the function");
  while (!failure && scope >= 0) {
    if (lexer.takeIf('{')) {
      scopes.emplace_back();
      scopes.back().parent = scope;
      scope = scopes.size() - 1;
      if (scopes.size() > 1 << 20)
        fail(lexer.peek(), "expected less scopes");
    } else if (lexer.takeIf('}')) {
      scope = scopes[scope].parent;
    } else if (lexer.peek().kind == Token::Kind::End) {
      fail(lexer.peek(), "expected '}' to close the function");
    } else {
      parseStatement();
    }
  }
  if (!failure)
    resolveLabels();
}

void Parser::resolveLabels() {
  auto find = [&](int from, std::string_view name, auto member) -> int {
    for (int at = from; at >= 0; at = scopes[at].parent)
      if (auto found = (scopes[at].*member).find(name); found != (scopes[at].*member).end())
        return found->second;
    return -1;
  };
  for (const PendingTarget &pending : pendingTargets) {
    int label = find(pending.scope, pending.name.text, &Scope::labels);
    if (label < 0)
      return fail(pending.name, "expected a label");
    function->branchTables[pending.table][pending.entry] = label;
  }
  pendingTargets.clear();
  for (Instruction &instruction : function->instructions) {
    bool call = instruction.parts[0] == "call";
    for (Operand &operand : instruction.operands) {
      if (operand.kind != Operand::Kind::Label)
        continue;
      if (call || module.find(operand.name)) {
        operand.kind = Operand::Kind::Function;
        continue;
      }
      operand.index = find(instruction.scope, operand.name,
                           instruction.parts[0] == "brx" ? &Scope::branchTables : &Scope::labels);
      if (operand.index < 0)
        return failAt(operand.value >> 32, int(uint32_t(operand.value)), operand.name.size(),
                      fmt::format("expected a declared name, found '{}'", operand.name));
    }
  }
}

} // namespace sparsec::sim
