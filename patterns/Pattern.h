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
#include "patterns/OrderSpec.h"

#include <functional>
#include <map>

namespace sparsec {

struct Block {
  int q = 0, k = 0; ///< 0: chosen by the compiler
  bool operator==(const Block &) const = default;
};

enum class SplitChoice { Auto, Always, Never };

struct Schedule {
  Block block;
  std::optional<OrderSpec> orderQ, orderK; ///< none: chosen by the compiler
  SplitChoice split = SplitChoice::Auto;
  bool operator==(const Schedule &) const = default;
};

struct HeadEntry {
  std::string name; ///< as in the file; "head<i>" where it gives none; unique
  Expr attend;
  Schedule schedule;
  // For messages only: where `attend` and what the schedule says stand.
  std::optional<SourceRange> where, blockWhere, orderWhere, splitWhere;
};

struct Pattern {
  std::string name; ///< an identifier; of a pattern given by -e: "pattern"
  std::string doc;
  std::map<std::string, int64_t> params; ///< the values used, overrides included
  std::map<std::string, ListRef> lists;  ///< parameters that are lists
  std::vector<HeadEntry> heads;
  std::vector<std::vector<int>>
      layers;                       ///< per layer, entries its heads take in turn; empty: all heads
  std::vector<Error> warnings = {}; ///< what is right and may not be meant; not part of the value
};

/// What a command line may override.
struct PatternOverrides {
  std::map<std::string, int64_t> params;
  std::map<std::string, SourceRange> where; ///< of each name, for messages; may be missing
};

/// Reads one `--param K=V`; its errors, and a pattern's about it, point into a text named --param.
Result<void> addParam(PatternOverrides &overrides, const std::string &assignment);

/// Reads a file that a pattern names ({table: FILE}, {file: FILE}), relative to the pattern's own
/// place. Errors need no place: they get the name's.
using FileReader = std::function<Result<std::shared_ptr<const SourceText>>(const std::string &)>;

/// Larger pattern files are refused unread.
inline constexpr size_t kMaxPatternBytes = size_t(1) << 18;
/// More head entries, or layers, or entries in one layer, are refused.
inline constexpr size_t kMaxEntries = 1024;

/// Reads a pattern file's text. Every refusal of the language is a located Error. Without a
/// FileReader, tables and lists of files are refused.
Result<Pattern> parsePattern(std::shared_ptr<const SourceText> text,
                             const PatternOverrides &overrides = {}, const FileReader &files = {});
/// The pattern `-e EXPR`: one head called "head0".
Result<Pattern> patternOfExpression(std::shared_ptr<const SourceText> text,
                                    const PatternOverrides &overrides = {});

/// Sets every head's order to one in one line: ORDER for both axes, or q=ORDER, k=ORDER, both.
///   auto  natural  residue:128  tails:128,32  grid:64x64/8x8  table:FILE
/// A size is a decimal integer or the name of a parameter. Errors point into the text.
Result<void> setOrders(Pattern &pattern, std::shared_ptr<const SourceText> text,
                       const FileReader &files);

/// YAML that parses back to an equal pattern (closed predicates; defaults left out).
std::string print(const Pattern &pattern);
bool equal(const Pattern &a, const Pattern &b);

/// The zoo, built in: file names without .yaml, sorted; and a file's text.
std::vector<std::string> zooNames();
std::shared_ptr<const SourceText> zooFile(const std::string &name); ///< null when there is none

} // namespace sparsec
