// How many steps the code under test takes: edges of its control flow, counted by what the compiler
// puts at each (sparsec_counted in cmake/Sparsec.cmake). The same on a busy machine, and a loop in
// a loop is seen wherever it is. Code of other libraries is not counted, but for their headers.
#pragma once

#include <cstdint>

namespace sparsec::test {

/// Since the program began, by its one thread.
uint64_t stepsTaken();

} // namespace sparsec::test
