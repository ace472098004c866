#include "patterns/Syntax.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

struct Spelling {
  std::string_view text;
  Op op;
};
constexpr Spelling kComparisons[] = {{"<", Op::Less},    {"<=", Op::LessEqual},
                                     {">", Op::Greater}, {">=", Op::GreaterEqual},
                                     {"==", Op::Equal},  {"!=", Op::NotEqual}};
constexpr Spelling kSums[] = {{"+", Op::Add}, {"-", Op::Subtract}};
constexpr Spelling kProducts[] = {{"*", Op::Multiply}, {"//", Op::FloorDivide}, {"%", Op::Modulo}};

/// From the start of `first` to the end of `last`; only `first` when they are on different lines.
SourceRange join(const SourceRange &first, const SourceRange &last) {
  SourceRange whole = first;
  if (last.line == first.line && last.column >= first.column)
    whole.length = last.column + last.length - first.column;
  return whole;
}

/// Recursive descent; one function for each level of precedence.
class Parser {
public:
  explicit Parser(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  Result<Syntax> run() {
    if (peek().kind == TokenKind::End)
      return inputError("expected an expression, found nothing", peek().where);
    Result<Syntax> whole = choice();
    if (whole && peek().kind != TokenKind::End)
      return inputError(fmt::format("expected an operator or the end of the expression, found {}",
                                    describe(peek())),
                        peek().where);
    return whole;
  }

private:
  const Token &peek() const { return tokens[at]; }
  bool isSymbol(std::string_view text) const {
    return peek().kind == TokenKind::Symbol && peek().text == text;
  }
  bool isWord(std::string_view text) const {
    return peek().kind == TokenKind::Name && peek().text == text;
  }
  SourceRange lastPlace() const { return tokens[at - 1].where; }

  /// The operator among `spellings` that comes next, taken.
  template <size_t N>
  std::optional<Op> take(const Spelling (&spellings)[N]) {
    for (const Spelling &spelling : spellings)
      if (isSymbol(spelling.text)) {
        ++at;
        return spelling.op;
      }
    return std::nullopt;
  }

  Result<Syntax> combine(Op op, SourceRange where, std::vector<Syntax> operands) {
    Syntax node;
    node.kind = Syntax::Operator;
    node.op = op;
    bool prefix = operands.size() == 1;
    SourceRange first = prefix ? where : operands.front().span;
    return finish(std::move(node), std::move(where), first, std::move(operands));
  }
  /// A node over its operands, which begins at `first` and ends with the token before this one.
  Result<Syntax> finish(Syntax node, SourceRange where, const SourceRange &first,
                        std::vector<Syntax> operands) {
    node.where = where;
    node.span = join(first, lastPlace());
    for (const Syntax &operand : operands)
      node.depth = std::max(node.depth, operand.depth + 1);
    node.operands = std::move(operands);
    if (node.depth > kMaxDepth)
      return tooMany(node.op, where);
    return node;
  }
  static Error tooMany(Op op, const SourceRange &where) {
    Error error =
        inputError(fmt::format("expected at most {} operators in a row", kMaxDepth), where);
    if (op == Op::Or || op == Op::And)
      error.notes.emplace_back("for many values write a list: k in [5, 9, 40], or a parameter "
                               "columns: {file: columns.txt} and 'k in columns'");
    if (op == Op::Add)
      error.notes.emplace_back("for many steps write a list: segment(t, [5, 9, 40]) is how many of "
                               "its values are at most t");
    return error;
  }
  Result<Syntax> combine(Op op, SourceRange where, Syntax a, Syntax b) {
    std::vector<Syntax> operands;
    operands.push_back(std::move(a));
    operands.push_back(std::move(b));
    return combine(op, std::move(where), std::move(operands));
  }

  /// operand (word operand)*, grouped from the left.
  Result<Syntax> connective(std::string_view word, Op op, Result<Syntax> (Parser::*operand)()) {
    Result<Syntax> left = (this->*operand)();
    while (left && isWord(word)) {
      SourceRange where = peek().where;
      ++at;
      Result<Syntax> right = (this->*operand)();
      if (!right)
        return right;
      left = combine(op, where, *std::move(left), *std::move(right));
    }
    return left;
  }
  /// a if p else b, grouped from the right.
  Result<Syntax> choice() {
    Result<Syntax> first = disjunction();
    if (!first || !isWord("if"))
      return first;
    SourceRange where = peek().where;
    ++at;
    Result<Syntax> condition = disjunction();
    if (!condition)
      return condition;
    if (!isWord("else"))
      return inputError(
          fmt::format("expected 'else', as in 'a if p else b', found {}", describe(peek())),
          peek().where);
    ++at;
    Result<Syntax> second = nested([this] { return choice(); });
    if (!second)
      return second;
    Syntax node;
    node.kind = Syntax::Choice;
    std::vector<Syntax> operands = {*std::move(condition), *std::move(first), *std::move(second)};
    SourceRange begin = operands[1].span;
    return finish(std::move(node), where, begin, std::move(operands));
  }

  Result<Syntax> disjunction() { return connective("or", Op::Or, &Parser::conjunction); }
  Result<Syntax> conjunction() { return connective("and", Op::And, &Parser::negation); }

  Result<Syntax> negation() {
    if (!isWord("not"))
      return comparison();
    SourceRange where = peek().where;
    ++at;
    Result<Syntax> operand = nested([this] { return negation(); });
    if (!operand)
      return operand;
    std::vector<Syntax> operands;
    operands.push_back(*std::move(operand));
    return combine(Op::Not, where, std::move(operands));
  }

  Result<Syntax> comparison() {
    Result<Syntax> left = sum();
    std::optional<Syntax> links; // the conjunction so far
    while (left) {
      SourceRange where = peek().where;
      std::optional<bool> member = takeMembership();
      std::optional<Op> op = member ? std::nullopt : take(kComparisons);
      if (!op && !member)
        break;
      Result<Syntax> right = sum();
      if (!right)
        return right;
      Result<Syntax> link = member ? membership(*member, where, *std::move(left), *right)
                                   : combine(*op, where, *std::move(left), *right);
      if (link && links)
        link = combine(Op::And, where, *std::move(links), *std::move(link));
      if (!link)
        return link;
      links = *std::move(link);
      left = std::move(right);
    }
    if (left && links)
      return *std::move(links);
    return left;
  }

  /// `in` (true) or `not in`, taken.
  std::optional<bool> takeMembership() {
    bool negated = isWord("not") && tokens[at + 1].kind == TokenKind::Name &&
                   tokens[at + 1].text == "in"; // an End comes last
    if (!negated && !isWord("in"))
      return std::nullopt;
    at += negated ? 2 : 1;
    return !negated;
  }
  Result<Syntax> membership(bool member, const SourceRange &where, Syntax of, Syntax list) {
    Syntax node;
    node.kind = Syntax::Member;
    node.value = member;
    SourceRange begin = of.span;
    std::vector<Syntax> operands;
    operands.push_back(std::move(of));
    operands.push_back(std::move(list));
    return finish(std::move(node), where, begin, std::move(operands));
  }

  template <size_t N>
  Result<Syntax> arithmetic(const Spelling (&spellings)[N], Result<Syntax> (Parser::*operand)()) {
    Result<Syntax> left = (this->*operand)();
    while (left) {
      SourceRange where = peek().where;
      std::optional<Op> op = take(spellings);
      if (!op)
        break;
      Result<Syntax> right = (this->*operand)();
      if (!right)
        return right;
      left = combine(*op, where, *std::move(left), *std::move(right));
    }
    return left;
  }
  Result<Syntax> sum() { return arithmetic(kSums, &Parser::product); }
  Result<Syntax> product() { return arithmetic(kProducts, &Parser::unary); }

  Result<Syntax> unary() {
    if (!isSymbol("-"))
      return primary();
    SourceRange where = peek().where;
    ++at;
    if (peek().kind == TokenKind::Number) { // a negative literal is one number
      Syntax number = literal(peek().fits ? -peek().value : peek().value);
      number.span = number.where = join(where, number.where);
      return number;
    }
    Result<Syntax> operand = nested([this] { return unary(); });
    if (!operand)
      return operand;
    std::vector<Syntax> operands;
    operands.push_back(*std::move(operand));
    return combine(Op::Negate, where, std::move(operands));
  }

  Syntax literal(int64_t value) {
    Syntax number;
    number.kind = Syntax::Number;
    number.value = value;
    number.where = number.span = peek().where;
    ++at;
    return number;
  }

  Result<Syntax> primary() {
    const Token &token = peek();
    if (token.kind == TokenKind::Number) {
      if (!token.fits)
        return inputError(
            fmt::format("expected an integer that fits 64 bits, found {}", quote(token.text)),
            token.where);
      return literal(token.value);
    }
    if (token.kind == TokenKind::List) {
      Syntax list;
      list.kind = Syntax::List;
      list.list = makeList(token.values);
      list.where = list.span = token.where;
      ++at;
      return list;
    }
    if (token.kind == TokenKind::Name && token.text != "and" && token.text != "or" &&
        token.text != "not")
      return nameOrCall();
    if (isSymbol("(")) {
      ++at;
      Result<Syntax> inner = nested([this] { return choice(); });
      if (!inner)
        return inner;
      if (!isSymbol(")"))
        return unclosed(token, "the group");
      ++at;
      inner->span = join(token.where, lastPlace());
      return inner;
    }
    if (isWord("not"))
      return inputError("expected a number, a name or '(', found 'not': put it in parentheses",
                        token.where);
    return inputError(fmt::format("expected a number, a name or '(', found {}", describe(token)),
                      token.where);
  }

  Result<Syntax> nameOrCall() {
    Syntax node;
    node.kind = Syntax::Name;
    node.name = peek().text;
    node.where = node.span = peek().where;
    ++at;
    if (!isSymbol("("))
      return node;
    const Token &open = peek();
    ++at;
    node.kind = Syntax::Call;
    while (!isSymbol(")") || !node.operands.empty()) {
      Result<Syntax> argument = nested([this] { return choice(); });
      if (!argument)
        return argument;
      node.depth = std::max(node.depth, argument->depth + 1);
      node.operands.push_back(*std::move(argument));
      if (isSymbol(")"))
        break;
      if (!isSymbol(","))
        return unclosed(open, "the call");
      ++at;
    }
    ++at;
    node.span = join(node.where, lastPlace());
    return node;
  }

  Error unclosed(const Token &open, std::string_view what) const {
    Error error = inputError(
        fmt::format("expected ')' to close {}, found {}", what, describe(peek())), peek().where);
    error.notes.push_back(fmt::format("'(' is at {}:{}", open.where.line, open.where.column));
    return error;
  }

  template <class Function>
  Result<Syntax> nested(Function parse) {
    if (++nesting > kMaxNesting)
      return inputError(fmt::format("expected nesting of at most {}, found more", kMaxNesting),
                        peek().where);
    Result<Syntax> inner = parse();
    --nesting;
    return inner;
  }

  std::vector<Token> tokens;
  size_t at = 0;
  int nesting = 0;
};

} // namespace

Result<Syntax> parseSyntax(const ExpressionText &text) {
  Result<std::vector<Token>> tokens = lex(text);
  if (!tokens)
    return tokens.error();
  return Parser(*std::move(tokens)).run();
}

} // namespace sparsec
