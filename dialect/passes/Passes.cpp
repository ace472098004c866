#include "dialect/passes/Passes.h"

namespace sparsec {

#define GEN_PASS_REGISTRATION
#include "dialect/passes/Passes.h.inc"

void registerPasses() {
  registerSparsecTilePasses();
}

} // namespace sparsec
