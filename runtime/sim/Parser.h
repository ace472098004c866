// The recursive-descent parser behind parsePtx(). ParseModule.cpp has what stands outside function
// bodies, ParseBody.cpp what stands inside.
//
// Failure: the first error is kept in `failure`; every method returns at once when it is set.
#pragma once

#include "runtime/sim/Lexer.h"
#include "runtime/sim/Ptx.h"

#include <unordered_map>

namespace sparsec::sim {

class Parser {
public:
  explicit Parser(std::shared_ptr<const SourceText> source) : lexer(source->text), source(source) {
    module.source = std::move(source);
  }
  Result<Module> run();

private:
  /// Declarations of one { }.
  struct Scope {
    int parent = -1;
    std::unordered_map<std::string_view, int> registers, variables, labels;
    std::unordered_map<std::string_view, std::pair<int, int>> ranges; ///< %r<9>: first, count
    std::unordered_map<std::string_view, int> branchTables;
  };

  // ParseModule.cpp
  void parseTopLevel();
  void parseFunction(bool isExtern);
  void parseParameters(std::vector<Variable> &into);
  Variable parseVariable(Space space);
  std::vector<Variable> parseVariables(Space space);
  void parseInitial(Variable &variable, int elementSize);
  void parseInitialElement(Variable &variable, int elementSize, uint64_t &at);
  void skipDirective();
  void skipBraces();

  // ParseBody.cpp
  void parseBody();
  void parseStatement();
  void parseRegisters();
  void parseInstruction();
  void parseBranchTargets(std::string_view label);
  Operand parseOperand();
  Operand parseAddress();
  Operand parseNumber();
  Operand parseWord();
  void parseList(Operand &operand, char close);
  void resolveLabels();
  int findRegister(std::string_view name) const;
  void addVariable(Variable variable);
  bool findVariable(std::string_view name, Operand &operand) const;

  bool expect(char mark, std::string_view purpose);
  void fail(const Token &token, std::string message);
  void failAt(int line, int column, int length, std::string message);
  int64_t parseInteger(std::string_view purpose);

  Lexer lexer;
  std::shared_ptr<const SourceText> source;
  Module module;
  std::optional<Error> failure;

  /// A name in .branchtargets, looked up when the function's labels are known.
  struct PendingTarget {
    int table, entry, scope;
    Token name;
  };
  std::vector<PendingTarget> pendingTargets;
  Function *function = nullptr;
  std::vector<Scope> scopes;
  std::unordered_map<std::string_view, int> moduleVariables;
  int scope = -1;
  int depth = 0;
};

/// The bits of an integer literal: decimal, 0x, 0b, octal, trailing U. False: not one.
bool integerLiteral(std::string_view text, uint64_t &bits);

} // namespace sparsec::sim
