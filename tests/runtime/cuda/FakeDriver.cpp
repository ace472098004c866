// A library that looks like the CUDA driver and has one GPU whose memory is the host's. What the
// device asks of it is checked as the real one would; $FAKE_DRIVER_FAIL="cuMemAlloc_v2=2" makes
// one call fail. A launch of the kernel "fill" does what that kernel says, out[i] = value; of any
// other kernel in a PTX text, nothing. Under the name libcuda.so.1 it serves whole programs.
#include "runtime/cuda/Driver.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

// What the device takes handles of; its functions have its types, as UBSan compares them.
struct sparsec::CudaContextHandle {};
struct sparsec::CudaModuleHandle {};
struct sparsec::CudaFunctionHandle {};
struct sparsec::CudaStreamHandle {};
/// What was launched while a stream was captured: "fill" alone has an effect.
struct sparsec::CudaGraphHandle {
  struct Fill {
    uint64_t out;
    uint32_t value;
    size_t elements;
    void run() const {
      for (size_t i = 0; i < elements; ++i)
        reinterpret_cast<uint32_t *>(out)[i] = value;
    }
  };
  std::vector<Fill> fills;
};
struct sparsec::CudaGraphExecHandle {
  CudaGraphHandle graph;
};
using namespace sparsec;

namespace {

int retained = 0, modules = 0, events = 0, graphs = 0;
CudaStreamHandle recordedStream;     ///< the only one that is made here
CudaGraphHandle *recorded = nullptr; ///< while that is captured
bool current = false;
CudaContextHandle context;
CudaModuleHandle module;
CudaFunctionHandle fill, other;
std::string texts; ///< of all modules of PTX
int resourceCalls = 0, launches = 0;
std::map<CudaPointer, size_t> allocated; ///< bytes of each
int dynamicLimit = 48 << 10;
constexpr int invalidValue = 1, notInitialised = 3, invalidContext = 201, invalidImage = 200;
constexpr int notFound = 500;
bool initialised = false;
/// Streams of the tests; the second is being captured.
const auto kStream = reinterpret_cast<CudaStream>(0x10),
           kCapturing = reinterpret_cast<CudaStream>(0x20);

/// The status that the environment wants of a call; 0: go on.
int wanted(const char *call) {
  const char *text = std::getenv("FAKE_DRIVER_FAIL");
  std::string prefix = std::string(call) + "=";
  if (!text || std::strncmp(text, prefix.c_str(), prefix.size()) != 0)
    return 0;
  return std::atoi(text + prefix.size());
}

} // namespace

#define ENTER                                                                                      \
  if (int status = wanted(__func__))                                                               \
    return status;                                                                                 \
  if (!initialised)                                                                                \
  return notInitialised
#define IN_CONTEXT                                                                                 \
  ENTER;                                                                                           \
  if (!current)                                                                                    \
  return invalidContext
// Of what a launch must not do.
#define ON_RESOURCES                                                                               \
  IN_CONTEXT;                                                                                      \
  ++resourceCalls

extern "C" {

int cuInit(unsigned flags) {
  if (int status = wanted(__func__))
    return status;
  initialised = flags == 0;
  return initialised ? 0 : invalidValue;
}
int cuDriverGetVersion(int *version) {
  *version = 12040;
  return 0;
}
int cuGetErrorName(int status, const char **name) {
  *name = status == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : status == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                          : nullptr;
  return *name ? 0 : invalidValue;
}
int cuGetErrorString(int status, const char **text) {
  *text = status == 2 ? "out of memory" : "an illegal memory access was encountered";
  return status == 2 || status == 700 ? 0 : invalidValue;
}
int cuDeviceGetCount(int *count) {
  ENTER;
  *count = std::getenv("FAKE_DRIVER_EMPTY") ? 0 : 1;
  return 0;
}
int cuDeviceGet(int *device, int ordinal) {
  ENTER;
  *device = 7;
  return ordinal == 0 ? 0 : invalidValue;
}
int cuDeviceGetName(char *name, int bytes, int device) {
  ENTER;
  std::snprintf(name, bytes, "Fake GPU");
  return device == 7 ? 0 : invalidValue;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  ENTER;
  switch (attribute) {
  case 75:
    *value = std::getenv("FAKE_DRIVER_TURING") ? 7 : 8;
    break;
  case 76:
    *value = 6;
    break;
  case 16:
    *value = 4;
    break;
  case 97:
    *value = 99 << 10;
    break;
  default:
    return invalidValue;
  }
  return device == 7 ? 0 : invalidValue;
}
int cuDevicePrimaryCtxRetain(CudaContext *out, int device) {
  ENTER;
  ++retained;
  *out = &context;
  return device == 7 ? 0 : invalidValue;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER;
  --retained;
  return device == 7 ? 0 : invalidValue;
}
int cuCtxSetCurrent(CudaContext which) {
  ENTER;
  current = which == &context;
  return current ? 0 : invalidValue;
}
int cuCtxSynchronize() {
  ON_RESOURCES;
  return 0;
}
int cuMemAlloc_v2(CudaPointer *out, size_t bytes) {
  ON_RESOURCES;
  if (bytes == 0)
    return invalidValue;
  bytes = (bytes + 255) / 256 * 256;
  *out = reinterpret_cast<CudaPointer>(std::aligned_alloc(256, bytes));
  allocated[*out] = bytes;
  return 0;
}
int cuMemFree_v2(CudaPointer address) {
  ON_RESOURCES;
  std::free(reinterpret_cast<void *>(address));
  allocated.erase(address);
  return 0;
}
int cuMemcpyHtoD_v2(CudaPointer to, const void *from, size_t bytes) {
  ON_RESOURCES;
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return 0;
}
int cuMemcpyDtoH_v2(void *to, CudaPointer from, size_t bytes) {
  ON_RESOURCES;
  std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
  return 0;
}
int cuModuleLoadDataEx(CudaModule *out, const void *data, unsigned options, int *keys,
                       void **values) {
  ON_RESOURCES;
  const char *image = static_cast<const char *>(data);
  bool isPtx = std::strstr(image, ".version ") != nullptr; // after comments
  bool isCubin = std::memcmp(image,
                             "\x7f"
                             "ELF",
                             4) == 0;
  if (isCubin && std::getenv("FAKE_DRIVER_OLD"))
    return invalidImage;
  for (unsigned i = 0; i + 1 < options; ++i)
    if (keys[i] == 5 && keys[i + 1] == 6 && !isPtx && !isCubin) {
      size_t bytes = reinterpret_cast<size_t>(values[i + 1]);
      std::snprintf(static_cast<char *>(values[i]), bytes, "ptxas fatal: not PTX\nno more");
    }
  if (!isPtx && !isCubin)
    return 218;
  ++modules;
  if (isPtx)
    texts += image;
  *out = &module;
  return 0;
}
int cuModuleUnload(CudaModule which) {
  ON_RESOURCES;
  --modules;
  return which == &module ? 0 : invalidValue;
}
int cuModuleGetFunction(CudaFunction *out, CudaModule which, const char *name) {
  IN_CONTEXT;
  *out = std::strcmp(name, "fill") == 0 ? &fill : &other;
  bool isThere = *out == &fill || texts.find(std::string(".entry ") + name + "(") != texts.npos;
  return which == &module && isThere ? 0 : notFound;
}
int cuFuncGetAttribute(int *value, int attribute, CudaFunction which) {
  IN_CONTEXT;
  *value = 1 << 10;
  return attribute == 1 && which ? 0 : invalidValue;
}
int cuFuncSetAttribute(CudaFunction which, int attribute, int value) {
  IN_CONTEXT;
  if (!which || attribute != 8 || value + (1 << 10) > 99 << 10)
    return invalidValue;
  dynamicLimit = value;
  return 0;
}
int cuLaunchKernel(CudaFunction which, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                   unsigned by, unsigned bz, unsigned shared, CudaStream stream, void **parameters,
                   void **extra) {
  IN_CONTEXT;
  bool isRecorded = recorded && stream == &recordedStream;
  if (!which || (stream && stream != kStream && stream != kCapturing && !isRecorded) || extra ||
      int(shared) > dynamicLimit || !gx || !gy || !gz)
    return invalidValue;
  ++launches;
  if (which != &fill)
    return 0;
  CudaGraphHandle::Fill call{0, 0, size_t(gx) * gy * gz * bx * by * bz};
  std::memcpy(&call.out, parameters[0], 8);
  std::memcpy(&call.value, parameters[1], 4);
  if (isRecorded)
    recorded->fills.push_back(call);
  else
    call.run();
  return 0;
}
int cuMemGetInfo_v2(size_t *left, size_t *all) {
  IN_CONTEXT;
  *left = 1 << 20;
  for (auto [address, bytes] : allocated)
    *left -= bytes;
  *all = 1 << 21;
  return 0;
}
int cuStreamIsCapturing(CudaStream stream, int *status) {
  IN_CONTEXT;
  *status = stream == kCapturing;
  return 0;
}
int cuStreamCreate(CudaStream *out, unsigned flags) {
  ON_RESOURCES;
  *out = &recordedStream;
  ++graphs;
  return flags == 1 ? 0 : invalidValue; // one that the default stream does not wait for
}
int cuStreamDestroy_v2(CudaStream stream) {
  ON_RESOURCES;
  --graphs;
  return stream == &recordedStream ? 0 : invalidValue;
}
int cuStreamBeginCapture_v2(CudaStream stream, int) {
  IN_CONTEXT;
  if (stream != &recordedStream || recorded)
    return invalidValue;
  recorded = new CudaGraphHandle;
  ++graphs;
  return 0;
}
int cuStreamEndCapture(CudaStream stream, CudaGraph *out) {
  if (stream != &recordedStream || !recorded)
    return invalidValue;
  *out = recorded;
  recorded = nullptr;
  return wanted(__func__);
}
int cuGraphInstantiateWithFlags(CudaGraphExec *out, CudaGraph graph, unsigned long long) {
  ON_RESOURCES;
  *out = new CudaGraphExecHandle{*graph};
  ++graphs;
  return 0;
}
int cuGraphLaunch(CudaGraphExec graph, CudaStream stream) {
  IN_CONTEXT;
  for (const CudaGraphHandle::Fill &each : graph->graph.fills)
    each.run();
  return stream ? invalidValue : 0;
}
int cuGraphDestroy(CudaGraph graph) {
  IN_CONTEXT;
  --graphs;
  delete graph;
  return 0;
}
int cuGraphExecDestroy(CudaGraphExec graph) {
  IN_CONTEXT;
  --graphs;
  delete graph;
  return 0;
}
int cuEventCreate(CudaEvent *out, unsigned) {
  IN_CONTEXT;
  *out = reinterpret_cast<CudaEvent>(uint64_t(++events));
  return 0;
}
int cuEventDestroy_v2(CudaEvent) {
  IN_CONTEXT;
  --events;
  return 0;
}
int cuEventRecord(CudaEvent event, CudaStream stream) {
  IN_CONTEXT;
  return event && !stream ? 0 : invalidValue;
}
int cuEventSynchronize(CudaEvent event) {
  ON_RESOURCES;
  return event ? 0 : invalidValue;
}
int cuEventElapsedTime(float *milliseconds, CudaEvent begin, CudaEvent end) {
  IN_CONTEXT;
  *milliseconds = 1.5f;
  return begin != end ? 0 : invalidValue;
}

/// For tests: what is still held.
int fakeDriverHeld() {
  return 1000 * graphs + 100 * events + 10 * modules + retained;
}
/// Calls so far that allocated, loaded, copied, freed or waited.
int fakeDriverResourceCalls() {
  return resourceCalls;
}
int fakeDriverLaunches() {
  return launches;
}
}
