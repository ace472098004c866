// From a pattern to the kernels of a program: schedules are chosen (codegen/ChooseSchedule.h),
// kernels come from a store.
#pragma once

#include "runtime/KernelStore.h"
#include "runtime/Program.h"
#include "runtime/c/PatternSource.h"

namespace sparsec {

struct BuildOptions {
  Target target;
  DType dtype = DType::F32;
  int headDim = 64, valueDim = 64;
  int64_t heads = 1; ///< of the model
  int64_t n = 4096;  ///< at which schedules are weighed
  int threads = 1;   ///< that compile
  bool forward = true, backward = true, decode = false, mass = false;
};

Result<ProgramParts> buildProgram(const SourcePattern &source, const BuildOptions &options,
                                  KernelStore &store);

} // namespace sparsec
