// --op NAMES, the same for every command that makes kernels: names from the table that the command
// goes by (PatternPasses.h, tools/verify/Operation.h).
#pragma once

#include <string>
#include <vector>

namespace sparsec::cli {

class Options;
/// `operations`: what holds when the flag is not given, the names of the table; `more`: what must
/// be asked for.
void declareOperationFlag(Options &options, std::vector<std::string> &operations,
                          const std::vector<std::string> &more = {});

} // namespace sparsec::cli
