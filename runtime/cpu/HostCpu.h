// What this machine's processor is and can do.
#pragma once

#include <string>
#include <string_view>

namespace sparsec {

/// Whether code of a CPU level (codegen/cpu/Level.h) runs here; false for a level that is not
/// known.
bool hostRunsLevel(std::string_view level);
/// The best one that does.
std::string_view hostLevel();
/// "AMD EPYC 9654", as the system names it.
std::string hostProcessor();
/// Threads that may run at once, as the process is bound.
int hostThreads();

} // namespace sparsec
