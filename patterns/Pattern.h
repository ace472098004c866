// A pattern file, read and resolved: which heads attend where, and how each may be scheduled.
//
//   name: strided                                   l = 3, n = 8
//   params: {l: 128}
//   where:                                          row             column
//     row: 0 <= q - k < l                           # . . . . . . . # . . . . . . .
//     column: (q - k) % l == 0                      # # . . . . . . . # . . . . . .
//   heads:                                          # # # . . . . . . . # . . . . .
//     - {name: row, attend: causal and row}         . # # # . . . . # . . # . . . .
//     - {name: column, attend: causal and column}   . . # # # . . . . # . . # . . .   ...
//
// Head h of a model uses entry h mod heads.size(). Entries are closed predicates: parameters and
// definitions are substituted. `schedule` never changes what is computed.
#pragma once

#include "patterns/Expr.h"

#include <map>

namespace sparsec {

struct Block {
  int q = 0, k = 0; ///< 0: chosen by the compiler
  bool operator==(const Block &) const = default;
};

enum class SplitChoice { Auto, Always, Never };

/// How the tokens of one axis are ordered into tiles. Only what this compiler builds is here;
/// orders that the language knows and no backend builds yet are refused by name when they are read.
enum class OrderKind { Auto, Natural };

struct Schedule {
  Block block;
  OrderKind orderQ = OrderKind::Auto;
  OrderKind orderK = OrderKind::Auto;
  SplitChoice split = SplitChoice::Auto;
  bool operator==(const Schedule &) const = default;
};

struct HeadEntry {
  std::string name; ///< as in the file; "head<i>" where it gives none; unique
  Expr attend;
  Schedule schedule;
  std::optional<SourceRange> where;      ///< of `attend`, for messages only
  std::optional<SourceRange> blockWhere; ///< of the schedule's block, for messages only
};

struct Pattern {
  std::string name; ///< an identifier; of a pattern given by -e: "pattern"
  std::string doc;
  std::map<std::string, int64_t> params; ///< the values used, overrides included
  std::vector<HeadEntry> heads;
  std::vector<std::vector<int>>
      layers; ///< per layer, entries its heads take in turn; empty: all heads
};

/// What a command line may override.
struct PatternOverrides {
  std::map<std::string, int64_t> params;
  std::map<std::string, SourceRange> where; ///< of each name, for messages; may be missing
};

/// Reads one `--param K=V`; its errors, and a pattern's about it, point into a text named --param.
Result<void> addParam(PatternOverrides &overrides, const std::string &assignment);

/// Larger pattern files are refused unread.
inline constexpr size_t kMaxPatternBytes = size_t(1) << 18;
/// More head entries, or layers, or entries in one layer, are refused.
inline constexpr size_t kMaxEntries = 1024;

/// Reads a pattern file's text. Every refusal of the language is a located Error.
Result<Pattern> parsePattern(std::shared_ptr<const SourceText> text,
                             const PatternOverrides &overrides = {});
/// The pattern `-e EXPR`: one head called "head0".
Result<Pattern> patternOfExpression(std::shared_ptr<const SourceText> text,
                                    const PatternOverrides &overrides = {});

/// YAML that parses back to an equal pattern (closed predicates; defaults left out).
std::string print(const Pattern &pattern);
bool equal(const Pattern &a, const Pattern &b);

/// The zoo, built in: file names without .yaml, sorted; and a file's text.
std::vector<std::string> zooNames();
std::shared_ptr<const SourceText> zooFile(const std::string &name); ///< null when there is none

} // namespace sparsec
