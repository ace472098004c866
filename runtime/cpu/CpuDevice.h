// The `cpu` device: native kernels on the host's own memory and all of its cores.
//
//   auto device = openCpuDevice({.threads = 8});
//   auto kernel = device->load(sharedObject, "attend");   dlopen, from memory
//   device->launch(**kernel, {.grid = {32, 8, 1}}, parameters);
//
// A launch calls the kernel once for every (x, y, z) of its grid: heads one after the other, and of
// each head the rows in the order of x, which is longest first. Threads take the next item as they
// become free, each with scratch memory of its own. The results are the same bits for any number of
// threads. A launch returns when it is done. Loading the same bytes again gives the same library.
//
// Refused: a shared object for instructions that this machine does not have; grids and sizes of
// memory that do not fit. A kernel's pointers are used as they are: nothing can check them.
#pragma once

#include "runtime/Device.h"

namespace sparsec {

struct CpuOptions {
  int threads = 0; ///< 0: as many as the process may run at once
};

std::unique_ptr<Device> openCpuDevice(CpuOptions options = {});

} // namespace sparsec
