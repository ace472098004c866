// Tokens of PTX text. Comments, white space and line directives are skipped.
#pragma once

#include <cstdint>
#include <string_view>

namespace sparsec::sim {

struct Token {
  enum class Kind : uint8_t { End, Word, Directive, Number, String, Mark };
  Kind kind = Kind::End;
  std::string_view text; ///< a Directive keeps its dot; a Mark is one character
  int line = 1, column = 1;
};

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) { advance(); }

  const Token &peek() const { return token; }
  Token take() {
    Token taken = token;
    advance();
    return taken;
  }
  bool at(char mark) const { return token.kind == Token::Kind::Mark && token.text.front() == mark; }
  bool at(std::string_view word) const {
    return token.kind != Token::Kind::String && token.text == word;
  }
  bool takeIf(char mark) {
    if (!at(mark))
      return false;
    advance();
    return true;
  }
  /// A Word joined with all that follows without a gap: "ld.shared::cta.v4.b32".
  Token takeOpcode();
  /// Skips to the end of the line of the current token (.loc, .file).
  void skipLine();

private:
  void advance();
  void skipBlank();
  char peekAt(size_t ahead) const {
    return position + ahead < text.size() ? text[position + ahead] : '\0';
  }

  std::string_view text;
  size_t position = 0, lineStart = 0;
  int line = 1;
  Token token;
};

} // namespace sparsec::sim
