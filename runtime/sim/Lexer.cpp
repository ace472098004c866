#include "runtime/sim/Lexer.h"

namespace sparsec::sim {

namespace {

bool isWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%';
}
bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isWord(char c) {
  return isWordStart(c) || isDigit(c);
}
bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

} // namespace

void Lexer::skipBlank() {
  while (position < text.size()) {
    char c = text[position];
    if (c == '\n') {
      ++line;
      lineStart = ++position;
    } else if (isBlank(c)) {
      ++position;
    } else if (c == '/' && peekAt(1) == '/') {
      while (position < text.size() && text[position] != '\n')
        ++position;
    } else if (c == '/' && peekAt(1) == '*') {
      position += 2;
      while (position < text.size() && !(text[position] == '*' && peekAt(1) == '/')) {
        if (text[position++] == '\n') {
          ++line;
          lineStart = position;
        }
      }
      position = position + 2 < text.size() ? position + 2 : text.size();
    } else {
      return;
    }
  }
}

void Lexer::advance() {
  skipBlank();
  size_t start = position;
  token = {Token::Kind::End, {}, line, int(position - lineStart) + 1};
  if (position >= text.size())
    return;
  char c = text[position];
  if (isWordStart(c)) {
    token.kind = Token::Kind::Word;
    while (isWord(peekAt(0)))
      ++position;
    // %tid.x is one name; %r1 never has a dot.
    if (c == '%' && peekAt(0) == '.' && peekAt(1) >= 'w' && peekAt(1) <= 'z' && !isWord(peekAt(2)))
      position += 2;
  } else if (c == '.' && isWord(peekAt(1))) {
    token.kind = Token::Kind::Directive;
    for (++position; isWord(peekAt(0));)
      ++position;
  } else if (isDigit(c)) {
    token.kind = Token::Kind::Number;
    while (isWord(peekAt(0)) || (peekAt(0) == '.' && isDigit(peekAt(1))) ||
           ((peekAt(0) == '+' || peekAt(0) == '-') && peekAt(-1) == 'e' && text[start + 1] != 'x'))
      ++position;
  } else if (c == '"') {
    token.kind = Token::Kind::String;
    for (++position; position < text.size() && text[position] != '"' && text[position] != '\n';)
      ++position;
    if (position < text.size() && text[position] == '"')
      ++position;
  } else {
    token.kind = Token::Kind::Mark;
    ++position;
  }
  token.text = text.substr(start, position - start);
}

Token Lexer::takeOpcode() {
  Token opcode = token;
  size_t start = token.text.data() - text.data(), end = start + token.text.size();
  while (end < text.size() && (isWord(text[end]) || text[end] == '.' || text[end] == ':')) {
    // A label's colon is not part of a name; the double one of shared::cta is.
    if (text[end] == ':' && !(end + 1 < text.size() && text[end + 1] == ':'))
      break;
    end += text[end] == ':' ? 2 : 1;
  }
  position = end;
  opcode.text = text.substr(start, end - start);
  advance();
  return opcode;
}

void Lexer::skipLine() {
  int here = token.line;
  while (token.kind != Token::Kind::End && token.line == here)
    advance();
}

} // namespace sparsec::sim
