// --op NAMES, the same for every command that makes kernels: names from the table that the command
// goes by (Plan.h, tools/verify/Operation.h).
#pragma once

#include <string>
#include <vector>

namespace sparsec::cli {

class Options;
enum class HowMany : uint8_t { One, Any };
/// `operations`: what holds when the flag is not given, the names of the table; `more`: what must
/// be asked for.
void declareOperationFlag(Options &options, std::vector<std::string> &operations,
                          HowMany howMany = HowMany::Any,
                          const std::vector<std::string> &more = {});

} // namespace sparsec::cli
