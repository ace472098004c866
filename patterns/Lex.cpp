#include "patterns/Lex.h"

#include "patterns/IntegerList.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace sparsec {

namespace {

bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

constexpr std::string_view kSymbols[] = {"//", "<=", ">=", "==", "!=", "+", "-",
                                         "*",  "%",  "<",  ">",  "(",  ")", ","};

/// Spellings of other languages, longest first, and what this one writes.
struct Foreign {
  std::string_view spelling, instead;
};
constexpr Foreign kForeign[] = {
    {"**", "there are no powers: write the product"},
    {"&&", "write 'and'"},
    {"||", "write 'or'"},
    {"<>", "write '!='"},
    {">>", "shifting right by s is '// 2^s', written as a number: q // 4"},
    {"<<", "shifting left by s is '* 2^s', written as a number: q * 4"},
    {"->", "it is not in the language"},
    {"/", "division is '//', which rounds down"},
    {"&", "write 'and'"},
    {"|", "write 'or'"},
    {"!", "write 'not'"},
    {"=", "write '==' to compare"},
    {"^", "of predicates it is '!='"},
    {"~", "write 'not'"},
    {"?", "write 'a if p else b'"},
    {".", "numbers are integers and names have no parts"},
    {"{", "group with '(' and ')'"},
};

/// How the character at `offset` is named in a message: printable ones as they are.
std::string characterName(std::string_view text) {
  unsigned char c = static_cast<unsigned char>(text[0]);
  if (c >= 0x20 && c < 0x7f)
    return fmt::format("'{}'", text[0]);
  size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
  if (c < 0x80 || length == 1 || length > text.size())
    return fmt::format("byte 0x{:02x}", c);
  return fmt::format("'{}'", text.substr(0, length));
}

constexpr size_t kMaxTokens = 100'000;

class Lexer {
public:
  explicit Lexer(const ExpressionText &input) : input(input), text(input.text) {}

  Result<std::vector<Token>> run() {
    for (;;) {
      while (at < text.size() && isSpace(text[at]))
        ++at;
      if (at == text.size())
        break;
      Result<void> done = isDigit(text[at]) ? number() : isLetter(text[at]) ? name() : symbol();
      if (!done)
        return done.error();
      if (tokens.size() > kMaxTokens)
        return inputError(fmt::format("expected an expression of at most {} tokens", kMaxTokens),
                          tokens.back().where);
    }
    push(TokenKind::End, 0);
    return std::move(tokens);
  }

private:
  void push(TokenKind kind, size_t length) {
    Token token;
    token.kind = kind;
    token.text = std::string(text.substr(at, length));
    token.where = input.place(at, static_cast<int>(length));
    tokens.push_back(std::move(token));
    at += length;
  }

  Result<void> name() {
    size_t end = at;
    while (end < text.size() && (isLetter(text[end]) || isDigit(text[end])))
      ++end;
    push(TokenKind::Name, end - at);
    return {};
  }

  Result<void> number() {
    size_t end = at;
    while (end < text.size() && (isLetter(text[end]) || isDigit(text[end]) || text[end] == '.'))
      ++end;
    std::string_view spelling = text.substr(at, end - at);
    if (!std::all_of(spelling.begin(), spelling.end(), isDigit) ||
        (spelling.size() > 1 && spelling[0] == '0'))
      return inputError(fmt::format("expected a decimal integer, found {}", quote(spelling)),
                        input.place(at, static_cast<int>(spelling.size())));
    uint64_t value = 0;
    auto [rest, failure] = std::from_chars(spelling.begin(), spelling.end(), value);
    if (failure != std::errc() || value > uint64_t(1) << 63)
      return inputError(
          fmt::format("expected an integer that fits 64 bits, found {}", quote(spelling)),
          input.place(at, static_cast<int>(spelling.size())));
    push(TokenKind::Number, spelling.size());
    tokens.back().value = static_cast<int64_t>(value);
    tokens.back().fits = value < uint64_t(1) << 63;
    return {};
  }

  /// [5, -9, 40]: one token however long it is.
  Result<void> list() {
    size_t begin = at, end = at + 1;
    std::vector<int64_t> values;
    auto skipSpace = [&] {
      while (end < text.size() && isSpace(text[end]))
        ++end;
    };
    auto unlike = [&](size_t length) {
      std::string found = end == text.size() ? "the end of the expression"
                                             : quote(text.substr(end, std::max<size_t>(length, 1)));
      return inputError(fmt::format("expected a list of integers, [5, 9, 40], found {}: group with "
                                    "'(' and ')'",
                                    found),
                        input.place(std::min(end, text.size()), static_cast<int>(length)));
    };
    for (skipSpace();; ++end, skipSpace()) {
      size_t first = end;
      end += end < text.size() && text[end] == '-';
      while (end < text.size() && (isLetter(text[end]) || isDigit(text[end])))
        ++end;
      std::string_view spelling = text.substr(first, end - first);
      int64_t value = 0;
      auto [rest, failure] = std::from_chars(spelling.begin(), spelling.end(), value);
      if (spelling.empty() || failure != std::errc() || rest != spelling.end()) {
        end = first;
        return unlike(spelling.size());
      }
      values.push_back(value);
      skipSpace();
      if (end < text.size() && text[end] == ']')
        break;
      if (end == text.size() || text[end] != ',')
        return unlike(1);
    }
    ++end;
    if (auto wrong = checkEntries(values, 2 * kMostEntries)) // borders are two for each member
      return inputError(*wrong, input.place(begin, static_cast<int>(end - begin)));
    push(TokenKind::List, end - begin);
    tokens.back().values = std::move(values);
    return {};
  }

  Result<void> symbol() {
    std::string_view rest = text.substr(at);
    if (rest[0] == '[' && !tokens.empty() && at > 0 && tokens.back().kind == TokenKind::Name &&
        (isLetter(text[at - 1]) || isDigit(text[at - 1])))
      return inputError(
          "'[' takes no element here: segment(t, ends) is the number of a list's ends "
          "up to t, and 'k in ends' asks for membership",
          input.place(at, 1));
    if (rest[0] == '[')
      return list();
    for (const Foreign &foreign : kForeign)
      if (foreign.spelling.size() == 2 && rest.starts_with(foreign.spelling))
        return refuse(foreign);
    for (std::string_view symbol : kSymbols)
      if (rest.starts_with(symbol)) {
        push(TokenKind::Symbol, symbol.size());
        return {};
      }
    for (const Foreign &foreign : kForeign)
      if (rest.starts_with(foreign.spelling))
        return refuse(foreign);
    return inputError(fmt::format("expected an expression, found {}", characterName(rest)),
                      input.place(at, 1));
  }

  Error refuse(const Foreign &foreign) const {
    return inputError(
        fmt::format("'{}' is not an operator here: {}", foreign.spelling, foreign.instead),
        input.place(at, static_cast<int>(foreign.spelling.size())));
  }

  const ExpressionText &input;
  std::string_view text;
  size_t at = 0;
  std::vector<Token> tokens;
};

} // namespace

ExpressionText wholeText(std::shared_ptr<const SourceText> source) {
  auto lines = std::make_shared<SourceLines>(source);
  ExpressionText whole;
  whole.text = source->text;
  whole.place = [lines](size_t offset, int length) { return lines->at(offset, length); };
  return whole;
}

Result<std::vector<Token>> lex(const ExpressionText &text) {
  return Lexer(text).run();
}

std::string describe(const Token &token) {
  return token.kind == TokenKind::End ? "end of expression" : quote(token.text);
}

} // namespace sparsec
