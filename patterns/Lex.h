// The tokens of an expression, each with its place.
#pragma once

#include "patterns/Error.h"

#include <cstdint>
#include <functional>
#include <string_view>

namespace sparsec {

enum class TokenKind : uint8_t { Name, Number, List, Symbol, End };

struct Token {
  TokenKind kind = TokenKind::End;
  std::string text;            ///< empty at the end
  int64_t value = 0;           ///< of a Number
  std::vector<int64_t> values; ///< of a List: [5, 9, 40]
  bool fits = true; ///< a Number of at most 2^63 - 1; the one that is not, -2^63, needs its sign
  SourceRange where;
};

/// A stretch of expression text and where its bytes came from: a YAML scalar may be quoted, folded
/// or indented, so a byte's place is asked for and not computed.
struct ExpressionText {
  std::string text;
  std::function<SourceRange(size_t offset, int length)> place;
};

/// The whole of a text as an expression.
ExpressionText wholeText(std::shared_ptr<const SourceText> source);

/// Splits; the last token is an End. Refused: any character or spelling that is not in the
/// language (with what to write instead), and numbers that are not decimal.
Result<std::vector<Token>> lex(const ExpressionText &text);

/// "'x'", or "end of expression".
std::string describe(const Token &token);

} // namespace sparsec
