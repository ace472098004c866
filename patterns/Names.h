// The names of the language itself, and how names and calls are checked: Resolve's tables.
#pragma once

#include "patterns/Resolve.h"

namespace sparsec {

/// Functions of the language, with how many arguments they take.
struct Function {
  std::string_view name;
  Op op;
  size_t least, most;
  std::string_view usage;
  bool yielding = false; ///< a file's own definition wins, with a warning
};

std::optional<Op> leafNamed(std::string_view name);
const Function *functionNamed(std::string_view name); ///< null when there is none

/// How a definition is called: near(a, b).
std::string usage(const Definition &definition);

/// That every name is known and every call has its count of arguments; `locals` are the arguments
/// of the definition around it.
Result<void> checkNames(const Syntax &syntax, const Scope &scope,
                        const std::vector<std::string> &locals);

} // namespace sparsec
