// Pieces of reading a pattern file that more than one file needs.
#pragma once

#include "patterns/Document.h"
#include "patterns/Pattern.h"
#include "patterns/Resolve.h"

namespace sparsec {

/// "expected WHAT, found ..." at a node.
Error expected(std::string_view what, const YamlNode &node);

/// The value of a key, or null.
const YamlNode *find(const YamlNode &map, std::string_view key);

/// That a node is a mapping of no other keys than these.
Result<void> checkKeys(const YamlNode &node, std::string_view what,
                       const std::vector<std::string> &keys);

/// A decimal integer and nothing else; none when it is not one or leaves 64 bits.
std::optional<int64_t> decimal(std::string_view text);

/// A plain decimal integer of [least, most]; `what` says so in words.
Result<int64_t> readInteger(const YamlNode &node, int64_t least, int64_t most,
                            std::string_view what);

/// An integer expression of numbers and parameters, of [least, most].
Result<int64_t> readConstant(const YamlNode &node, const Scope &scope, ExpansionBudget &budget,
                             int64_t least, int64_t most);

/// Words for a leaf that only has a value when a kernel runs ("'q'"), nothing when there is none.
std::optional<Error> dependsOnPosition(const Expr &expr, std::string_view what);

/// What a schedule's values are read with.
struct ScheduleContext {
  const Scope &scope;
  ExpansionBudget &budget;
  const FileReader &files;
};

/// Reads `schedule:` over what the file's own says.
Result<void> readSchedule(const YamlNode &node, const ScheduleContext &context, HeadEntry &entry);

/// The text of a file that a pattern names; errors have a place. `what` the file is, for messages.
Result<std::shared_ptr<const SourceText>> readNamedFile(const std::string &name,
                                                        std::string_view what,
                                                        const SourceRange &where,
                                                        const FileReader &files);

/// Refuses a head that no pair can be in, whatever n is.
Result<void> checkNotEmpty(const Expr &attend, const SourceRange &where);

/// A list parameter: [5, 9, 40] or {file: NAME}.
Result<ListRef> readListParam(const std::string &name, const YamlNode &value,
                              const FileReader &files);

/// The order that a file lists. `where` is of its name.
Result<TableOrder> readTableFile(const std::string &name, const SourceRange &where,
                                 const FileReader &files);

} // namespace sparsec
