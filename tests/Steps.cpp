#include "tests/Steps.h"

static uint64_t taken = 0;

extern "C" void __sanitizer_cov_trace_pc() {
  ++taken;
}

uint64_t sparsec::test::stepsTaken() {
  return taken;
}
