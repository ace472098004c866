// PTX written for the tests of the assemblers and of the gate.
#pragma once

#include <string>

namespace sparsec::testing {

/// Shared memory, branches, a shuffle with a predicate, ldmatrix and mma, a struct argument whose
/// name is not NVRTC's, a scalar argument, static and dynamic shared memory.
std::string tileKernel();
/// sm_90a: setmaxnreg, wgmma on accumulators that are left alone until the wait.
std::string wgmmaKernel();

/// An exact division, whose slow path ptxas keeps out of line.
std::string dividingKernel();

// Kernels that the gate must refuse.
std::string spillingKernel();   ///< more live values than .maxnreg allows
std::string localArrayKernel(); ///< no spill: an array indexed at run time
std::string callingKernel();    ///< a function that is not inlined
std::string serialisedKernel(); ///< sm_90a: reads an accumulator before the wait: C7514

} // namespace sparsec::testing
