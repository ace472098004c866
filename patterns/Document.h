// A YAML document as a tree of located nodes: the seam behind which YAML stays.
//
//   heads:                            Map { "heads": Sequence { Map { "attend": Scalar } } }
//     - {attend: "causal and q < 9"}
//
// Refused, located: what is not YAML; tags, anchors and aliases (so no document is larger than its
// text); a second document; repeated keys, and keys that are not scalars; text that is not UTF-8 or
// has control characters; more than kMaxPatternBytes; nesting deeper than kMaxYamlNesting; and a
// value in a flow collection that a comma cuts inside its parentheses, with the hint to quote it.
// A byte order mark and CRLF line ends are accepted.
#pragma once

#include "patterns/Lex.h"

namespace sparsec {

inline constexpr int kMaxYamlNesting = 64;

struct YamlNode {
  struct Entry;
  enum Kind : uint8_t { Null, Scalar, Sequence, Map } kind = Null;
  enum Style : uint8_t { Plain, Quoted, Block } style = Plain; ///< of a Scalar
  bool flow = false;                                           ///< of a collection
  std::string text;                                            ///< of a Scalar, or a written Null
  std::vector<YamlNode> items;                                 ///< of a Sequence
  std::vector<Entry> entries;                                  ///< of a Map, as written
  SourceRange where; ///< of a Scalar on one line the whole, else where the node begins

  /// A Scalar's text as an expression, each byte with its place in the file.
  ExpressionText expression() const;

  size_t offset = 0; ///< of `where` in the text
  std::shared_ptr<const SourceLines> lines;
};
struct YamlNode::Entry {
  YamlNode key, value;
};

/// `what` is for messages.
Result<YamlNode> readDocument(std::shared_ptr<const SourceText> text,
                              std::string_view what = "a pattern");

/// "a mapping", "nothing", "'x'": for "expected ..., found ...".
std::string describe(const YamlNode &node);

} // namespace sparsec
