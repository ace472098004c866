// What to say when the bug is ours: an internal error, or a crash (SIGSEGV, SIGABRT, ... and LLVM's
// own fatal errors), all of which end in exit code 70 and the same text.
#pragma once

#include <string>
#include <vector>

namespace sparsec::cli {

/// Installs the handlers of crashes; the arguments become part of the text.
void reportBugs(const std::vector<std::string> &arguments);
const char *whatToReport();

} // namespace sparsec::cli
