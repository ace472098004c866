#include "runtime/sim/Parser.h"

#include <fmt/core.h>

#include <bit>
#include <cstring>

namespace sparsec::sim {

bool integerLiteral(std::string_view text, uint64_t &bits) {
  if (!text.empty() && text.back() == 'U')
    text.remove_suffix(1);
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
    base = 16, text.remove_prefix(2);
  else if (text.size() > 2 && text[0] == '0' && (text[1] == 'b' || text[1] == 'B'))
    base = 2, text.remove_prefix(2);
  else if (text.size() > 1 && text[0] == '0')
    base = 8;
  if (text.empty())
    return false;
  bits = 0;
  for (char c : text) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : 99;
    if (digit >= base)
      return false;
    uint64_t next = bits * base + digit;
    if (bits > (~uint64_t(0) - digit) / base)
      return false;
    bits = next;
  }
  return true;
}

void Parser::fail(const Token &token, std::string message) {
  std::string found =
      token.kind == Token::Kind::End ? "end of file" : fmt::format("'{}'", token.text);
  failAt(token.line, token.column, std::max<int>(1, token.text.size()),
         fmt::format("{}, found {}", message, found));
}

void Parser::failAt(int line, int column, int length, std::string message) {
  if (!failure)
    failure = inputError(std::move(message), SourceRange{source, line, column, length});
}

bool Parser::expect(char mark, std::string_view purpose) {
  if (failure)
    return false;
  if (lexer.takeIf(mark))
    return true;
  fail(lexer.peek(), fmt::format("expected '{}' {}", mark, purpose));
  return false;
}

int64_t Parser::parseInteger(std::string_view purpose) {
  bool negative = lexer.takeIf('-');
  uint64_t bits = 0;
  if (lexer.peek().kind != Token::Kind::Number || !integerLiteral(lexer.peek().text, bits)) {
    fail(lexer.peek(), fmt::format("expected an integer {}", purpose));
    return 0;
  }
  lexer.take();
  return negative ? -int64_t(bits) : int64_t(bits);
}

Result<Module> Parser::run() {
  while (!failure && lexer.peek().kind != Token::Kind::End)
    parseTopLevel();
  if (failure)
    return *failure;
  return std::move(module);
}

void Parser::skipBraces() {
  int open = 0;
  do {
    if (lexer.at('{'))
      ++open;
    if (lexer.at('}'))
      --open;
    if (lexer.take().kind == Token::Kind::End)
      return fail(lexer.peek(), "expected '}'");
  } while (open > 0);
}

void Parser::skipDirective() {
  Token directive = lexer.peek();
  if (lexer.at(".loc") || lexer.at(".file") || lexer.at(".version") || lexer.at(".address_size"))
    return lexer.skipLine();
  if (lexer.at(".target")) {
    lexer.take();
    module.target = lexer.peek().text;
    return lexer.skipLine();
  }
  if (lexer.at(".section")) {
    while (!lexer.at('{') && lexer.peek().kind != Token::Kind::End)
      lexer.take();
    return skipBraces();
  }
  if (lexer.at(".pragma") || lexer.at(".alias")) {
    while (!lexer.at(';') && lexer.peek().kind != Token::Kind::End)
      lexer.take();
    expect(';', "to end the directive");
    return;
  }
  fail(directive, "expected a directive that sim knows");
}

void Parser::parseTopLevel() {
  bool isExtern = false;
  while (lexer.at(".visible") || lexer.at(".weak") || lexer.at(".common") || lexer.at(".extern"))
    isExtern |= lexer.take().text == ".extern";
  if (lexer.at(".entry") || lexer.at(".func"))
    return parseFunction(isExtern);
  Space space = Space::Generic;
  if (lexer.at(".global"))
    space = Space::Global;
  if (lexer.at(".const"))
    space = Space::Const;
  if (lexer.at(".shared"))
    space = Space::Shared;
  if (space == Space::Generic)
    return skipDirective();
  lexer.take();
  for (Variable &variable : parseVariables(space)) {
    variable.isExtern = isExtern;
    moduleVariables[variable.name] = module.variables.size();
    module.variables.push_back(std::move(variable));
  }
  expect(';', "to end the declaration");
}

std::vector<Variable> Parser::parseVariables(Space space) {
  std::vector<Variable> variables;
  variables.push_back(parseVariable(space));
  while (!failure && lexer.at(',')) {
    // .shared .b32 a, b; repeats the type.
    fail(lexer.peek(), "expected one variable per declaration");
  }
  return variables;
}

Variable Parser::parseVariable(Space space) {
  Variable variable;
  variable.space = space;
  variable.line = lexer.peek().line;
  uint64_t elementSize = 0, lanes = 1;
  while (!failure && lexer.peek().kind == Token::Kind::Directive) {
    Token token = lexer.take();
    if (token.text == ".align") {
      variable.align = parseInteger("after .align");
      if (!std::has_single_bit(variable.align) || variable.align > 4096)
        failAt(token.line, token.column, 6, "expected an alignment of a power of two up to 4096");
    } else if (token.text == ".v2")
      lanes = 2;
    else if (token.text == ".v4")
      lanes = 4;
    else if (token.text == ".ptr" || token.text == ".attribute" || token.text == ".global" ||
             token.text == ".shared" || token.text == ".const" || token.text == ".local") {
      if (token.text == ".attribute") {
        while (!lexer.at(')') && lexer.peek().kind != Token::Kind::End)
          lexer.take();
        expect(')', "to close .attribute");
      }
    } else if (Type type = typeNamed(token.text.substr(1)); type != Type::None && sizeOf(type))
      elementSize = sizeOf(type);
    else
      fail(token, "expected the type of a variable");
  }
  // An entry's pointer parameter says what it points at: .param .u64 .ptr .global .align 16 p
  Token name = lexer.take();
  if (name.kind != Token::Kind::Word || !elementSize) {
    fail(name, "expected a variable's type and name");
    return variable;
  }
  variable.name = name.text;
  variable.size = elementSize * lanes;
  uint64_t natural = variable.size;
  while (lexer.takeIf('[')) {
    uint64_t count = lexer.at(']') ? 0 : parseInteger("as array length");
    if (count > (uint64_t(1) << 40) || (count && variable.size > (uint64_t(1) << 40) / count))
      fail(name, "expected an array of less than 2^40 bytes");
    variable.size *= count;
    expect(']', "to close the array length");
  }
  if (variable.align == 1)
    variable.align = natural;
  if (lexer.takeIf('='))
    parseInitial(variable, elementSize);
  return variable;
}

void Parser::parseInitial(Variable &variable, int elementSize) {
  uint64_t at = 0;
  if (variable.size > uint64_t(1) << 30)
    return fail(lexer.peek(), "expected initial values for at most 2^30 bytes");
  variable.initial.assign(variable.size, 0);
  if (!lexer.at('{'))
    return parseInitialElement(variable, elementSize, at);
  int open = 0;
  do {
    if (lexer.takeIf('{'))
      ++open;
    else if (lexer.takeIf('}'))
      --open;
    else if (!lexer.takeIf(','))
      parseInitialElement(variable, elementSize, at);
  } while (open > 0 && !failure);
}

void Parser::parseInitialElement(Variable &variable, int elementSize, uint64_t &at) {
  Token first = lexer.peek();
  if (at + elementSize > variable.initial.size()) {
    if (variable.size)
      return fail(first, fmt::format("expected at most {} bytes of initial values", variable.size));
    variable.initial.resize(at + elementSize);
  }
  if (first.kind == Token::Kind::Word) {
    bool generic = first.text == "generic";
    Relocation relocation{at, lexer.take().text, 0};
    if (generic && expect('(', "after generic")) {
      relocation.symbol = lexer.take().text;
      if (lexer.takeIf('+'))
        relocation.addend = parseInteger("after '+'");
      expect(')', "to close generic(");
    }
    if (lexer.takeIf('+'))
      relocation.addend = parseInteger("after '+'");
    variable.relocations.push_back(relocation);
    if (elementSize != 8)
      return fail(first, "expected a 64-bit element for an address");
  } else {
    Operand number = parseNumber();
    uint64_t bits = number.value;
    if (number.kind == Operand::Kind::Float && elementSize == 4 && !number.single) {
      double wide;
      std::memcpy(&wide, &bits, 8);
      float narrow = wide;
      uint32_t low;
      std::memcpy(&low, &narrow, 4);
      bits = low;
    }
    std::memcpy(variable.initial.data() + at, &bits, elementSize);
  }
  at += elementSize;
}

void Parser::parseParameters(std::vector<Variable> &into) {
  if (!lexer.takeIf('('))
    return;
  while (!failure && !lexer.takeIf(')')) {
    if (!lexer.at(".param"))
      return fail(lexer.peek(), "expected .param");
    lexer.take();
    into.push_back(parseVariable(Space::Param));
    if (!lexer.at(')'))
      expect(',', "between parameters");
  }
}

void Parser::parseFunction(bool isExtern) {
  module.functions.emplace_back();
  function = &module.functions.back();
  function->isEntry = lexer.take().text == ".entry";
  function->line = lexer.peek().line;
  std::vector<Variable> results, parameters;
  if (!function->isEntry)
    parseParameters(results);
  Token name = lexer.take();
  if (name.kind != Token::Kind::Word)
    return fail(name, "expected a function's name");
  function->name = name.text;
  parseParameters(parameters);
  function->results = results.size();
  function->parameters = parameters.size();
  // Directives between the head and the body: .maxntid 128, 1, 1 .minnctapersm 2 .noreturn ...
  while (!failure && lexer.peek().kind == Token::Kind::Directive) {
    if (lexer.at(".pragma")) {
      skipDirective();
      continue;
    }
    lexer.take();
    while (lexer.peek().kind == Token::Kind::Number || lexer.at(','))
      lexer.take();
  }
  if (failure || lexer.takeIf(';') || isExtern)
    return;
  scopes.clear();
  scopes.emplace_back();
  scope = 0;
  for (std::vector<Variable> *list : {&results, &parameters})
    for (Variable &variable : *list)
      addVariable(std::move(variable));
  function->isDefined = true;
  parseBody();
}

Result<Module> parsePtx(std::shared_ptr<const SourceText> source) {
  return Parser(std::move(source)).run();
}

} // namespace sparsec::sim
