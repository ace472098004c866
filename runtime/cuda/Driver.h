// The functions of the CUDA driver that a device needs, opened from libcuda.so.1 while the program
// runs. Declared here as cuda.h has them, so that no CUDA header is needed; the names are the
// 64-bit ones that cuda.h's macros stand for (cuMemAlloc is cuMemAlloc_v2).
#pragma once

#include "runtime/cuda/Library.h"

#include <cstddef>
#include <cstdint>

namespace sparsec {

using CudaStatus = int; ///< CUresult: 0 is success
using CudaPointer = unsigned long long;
using CudaContext = struct CudaContextHandle *;
using CudaModule = struct CudaModuleHandle *;
using CudaFunction = struct CudaFunctionHandle *;
using CudaStream = struct CudaStreamHandle *;
using CudaEvent = struct CudaEventHandle *;
using CudaGraph = struct CudaGraphHandle *;
using CudaGraphExec = struct CudaGraphExecHandle *;

namespace cuda {
// Numbers of cuda.h that are part of the driver's binary interface.
constexpr CudaStatus outOfMemory = 2;
constexpr CudaStatus noDevice = 100;
constexpr int computeCapabilityMajor = 75; ///< device attributes
constexpr int computeCapabilityMinor = 76;
constexpr int multiprocessors = 16;
constexpr int sharedBytesOptIn = 97;
constexpr int staticSharedBytes = 1; ///< function attributes
constexpr int maxDynamicSharedBytes = 8;
constexpr int jitInfoLog = 3; ///< options of cuModuleLoadDataEx
constexpr int jitInfoLogBytes = 4;
constexpr int jitErrorLog = 5;
constexpr int jitErrorLogBytes = 6;
constexpr int jitLogVerbose = 12;
constexpr unsigned streamNonBlocking = 1;
constexpr int captureModeThreadLocal = 1;
} // namespace cuda

/// X(member, symbol, parameters): every function, once.
#define SPARSEC_CUDA_FUNCTIONS(X)                                                                  \
  X(init, cuInit, (unsigned flags))                                                                \
  X(driverVersion, cuDriverGetVersion, (int *version))                                             \
  X(errorName, cuGetErrorName, (CudaStatus, const char **))                                        \
  X(errorText, cuGetErrorString, (CudaStatus, const char **))                                      \
  X(deviceCount, cuDeviceGetCount, (int *))                                                        \
  X(device, cuDeviceGet, (int *device, int ordinal))                                               \
  X(deviceName, cuDeviceGetName, (char *, int bytes, int device))                                  \
  X(deviceAttribute, cuDeviceGetAttribute, (int *, int attribute, int device))                     \
  X(retainContext, cuDevicePrimaryCtxRetain, (CudaContext *, int device))                          \
  X(releaseContext, cuDevicePrimaryCtxRelease_v2, (int device))                                    \
  X(setContext, cuCtxSetCurrent, (CudaContext))                                                    \
  X(synchronize, cuCtxSynchronize, ())                                                             \
  X(allocate, cuMemAlloc_v2, (CudaPointer *, size_t))                                              \
  X(free, cuMemFree_v2, (CudaPointer))                                                             \
  X(memoryInfo, cuMemGetInfo_v2, (size_t * left, size_t * all))                                    \
  X(copyToDevice, cuMemcpyHtoD_v2, (CudaPointer, const void *, size_t))                            \
  X(copyToHost, cuMemcpyDtoH_v2, (void *, CudaPointer, size_t))                                    \
  X(loadModule, cuModuleLoadDataEx,                                                                \
    (CudaModule *, const void *image, unsigned options, int *keys, void **values))                 \
  X(unloadModule, cuModuleUnload, (CudaModule))                                                    \
  X(function, cuModuleGetFunction, (CudaFunction *, CudaModule, const char *name))                 \
  X(getFunctionAttribute, cuFuncGetAttribute, (int *, int attribute, CudaFunction))                \
  X(setFunctionAttribute, cuFuncSetAttribute, (CudaFunction, int attribute, int value))            \
  X(launch, cuLaunchKernel,                                                                        \
    (CudaFunction, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,                \
     unsigned blockY, unsigned blockZ, unsigned sharedBytes, CudaStream, void **parameters,        \
     void **extra))                                                                                \
  X(isCapturing, cuStreamIsCapturing, (CudaStream, int *status))                                   \
  X(createStream, cuStreamCreate, (CudaStream *, unsigned flags))                                  \
  X(destroyStream, cuStreamDestroy_v2, (CudaStream))                                               \
  X(beginCapture, cuStreamBeginCapture_v2, (CudaStream, int mode))                                 \
  X(endCapture, cuStreamEndCapture, (CudaStream, CudaGraph *))                                     \
  X(instantiateGraph, cuGraphInstantiateWithFlags,                                                 \
    (CudaGraphExec *, CudaGraph, unsigned long long flags))                                        \
  X(launchGraph, cuGraphLaunch, (CudaGraphExec, CudaStream))                                       \
  X(destroyGraph, cuGraphDestroy, (CudaGraph))                                                     \
  X(destroyGraphExec, cuGraphExecDestroy, (CudaGraphExec))                                         \
  X(createEvent, cuEventCreate, (CudaEvent *, unsigned flags))                                     \
  X(destroyEvent, cuEventDestroy_v2, (CudaEvent))                                                  \
  X(recordEvent, cuEventRecord, (CudaEvent, CudaStream))                                           \
  X(synchronizeEvent, cuEventSynchronize, (CudaEvent))                                             \
  X(elapsed, cuEventElapsedTime, (float *milliseconds, CudaEvent begin, CudaEvent end))

struct CudaDriver {
#define SPARSEC_DECLARE(member, symbol, parameters) CudaStatus(*member) parameters = nullptr;
  SPARSEC_CUDA_FUNCTIONS(SPARSEC_DECLARE)
#undef SPARSEC_DECLARE

  /// The symbol that the library lacks; null when it has them all.
  const char *bind(const Library &library) {
#define SPARSEC_BIND(member, symbol, parameters)                                                   \
  if (!library.bind(member, #symbol))                                                              \
    return #symbol;
    SPARSEC_CUDA_FUNCTIONS(SPARSEC_BIND)
#undef SPARSEC_BIND
    return nullptr;
  }

  /// An Error with the driver's own name for a status:
  /// "cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (out of memory)".
  Error error(const char *call, CudaStatus status) const;
};

} // namespace sparsec
