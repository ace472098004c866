#include "runtime/cuda/CudaDevice.h"

#include "runtime/DiskStore.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr int kLeastCapability = 80; ///< of kernel/Targets.def

/// On a device, the stream that this thread's launches on the default one are recorded from: the
/// default one itself cannot be.
struct RecordedStream {
  const CudaDevice *device = nullptr;
  CudaStream stream = nullptr;
};
thread_local RecordedStream recorded;

struct CudaRecording final : Recording {
  explicit CudaRecording(const CudaDriver &driver, CudaContext context)
      : driver(driver), context(context) {}
  ~CudaRecording() override {
    if (graph && driver.setContext(context) == 0)
      driver.destroyGraphExec(graph);
  }
  Result<void> replay() override {
    if (CudaStatus status = driver.setContext(context); status != 0)
      return driver.error("cuCtxSetCurrent", status);
    if (CudaStatus status = driver.launchGraph(graph, nullptr); status != 0)
      return driver.error("cuGraphLaunch", status);
    return {};
  }
  CudaDriver driver; // a copy: nothing but pointers to functions
  CudaContext context;
  CudaGraphExec graph = nullptr;
};

struct CudaExecutable final : Executable {
  CudaExecutable(const CudaDriver &driver, CudaContext context)
      : driver(driver), context(context) {}
  ~CudaExecutable() override {
    if (module && driver.setContext(context) == 0)
      driver.unloadModule(module);
  }
  CudaDriver driver; // a copy: nothing but pointers to functions
  CudaContext context;
  CudaModule module = nullptr;
  CudaFunction function = nullptr;
  std::string assembler;
};

/// ".target sm_90a, debug" as "sm_90a"; empty where there is none.
std::string targetOf(std::string_view ptx) {
  size_t line = ptx.find(".target");
  if (line == std::string_view::npos)
    return {};
  std::string_view rest = ptx.substr(line);
  rest = rest.substr(0, rest.find('\n'));
  size_t begin = rest.find("sm_");
  if (begin == std::string_view::npos)
    return {};
  rest = rest.substr(begin);
  size_t length = 3;
  while (length < rest.size() && std::isalnum(static_cast<unsigned char>(rest[length])))
    ++length;
  return std::string(rest.substr(0, length));
}

/// What to assemble a PTX for on a GPU of this capability: its target's features belong to one
/// capability ("sm_90a") or to all later ones ("sm_80").
Result<std::string> archFor(const std::string &target, int capability) {
  int number = 0;
  std::string_view digits = std::string_view(target).substr(std::min<size_t>(3, target.size()));
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc())
    return inputError("the PTX names no target");
  std::string suffix(end, digits.data() + digits.size());
  bool runs = suffix.empty() ? number <= capability : number == capability;
  if (!runs)
    return machineError(
        fmt::format("the kernel is for {}, and this GPU is sm_{}", target, capability));
  return fmt::format("sm_{}{}", capability, suffix);
}

void addLines(std::vector<std::string> &notes, std::string_view text) {
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    if (end > 0 && text[0] != '\0')
      notes.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

} // namespace

Error CudaDriver::error(const char *call, CudaStatus status) const {
  const char *name = nullptr, *description = nullptr;
  if (errorName(status, &name) != 0 || !name)
    name = "unknown error";
  if (errorText(status, &description) != 0 || !description)
    description = "the driver has no words for it";
  Error error = internalError(fmt::format("{}: {} ({})", call, name, description));
  if (status == cuda::outOfMemory || status == cuda::noDevice)
    error.kind = ErrorKind::Machine;
  return error;
}

CudaDevice::CudaDevice(Library library, CudaDriver driver, Assemblers assemblers)
    : library(std::move(library)), driver(driver), assemblers(std::move(assemblers)) {}

CudaDevice::~CudaDevice() {
  if (context)
    driver.releaseContext(device);
}

Result<void> CudaDevice::check(const char *call, CudaStatus status) const {
  if (status == 0)
    return {};
  return driver.error(call, status);
}

Result<void> CudaDevice::enter() const {
  return check("cuCtxSetCurrent", driver.setContext(context));
}

Result<void> CudaDevice::open(int ordinal) {
  // Whatever goes wrong here is the machine's doing, and says so.
  auto machine = [&](const char *call, CudaStatus status) -> Result<void> {
    if (status == 0)
      return {};
    Error error = driver.error(call, status);
    error.kind = ErrorKind::Machine;
    error.message = "no GPU can be used: " + error.message;
    return error;
  };
  int count = 0, major = 0, minor = 0, multiprocessors = 0;
  char deviceName[256] = "";
  if (Result<void> did = machine("cuInit", driver.init(0)); !did)
    return did;
  if (Result<void> did = machine("cuDeviceGetCount", driver.deviceCount(&count)); !did)
    return did;
  if (ordinal >= count)
    return machineError(count == 0 ? "the driver finds no GPU"
                                   : fmt::format("no GPU {}: the driver finds {}", ordinal, count));
  if (Result<void> did = machine("cuDeviceGet", driver.device(&device, ordinal)); !did)
    return did;
  CudaStatus status = driver.deviceName(deviceName, sizeof deviceName, device);
  auto attribute = [&](int *value, int which) {
    if (status == 0)
      status = driver.deviceAttribute(value, which, device);
  };
  attribute(&major, cuda::computeCapabilityMajor);
  attribute(&minor, cuda::computeCapabilityMinor);
  attribute(&multiprocessors, cuda::multiprocessors);
  attribute(&sharedLimit, cuda::sharedBytesOptIn);
  if (Result<void> did = machine("cuDeviceGetAttribute", status); !did)
    return did;
  if (Result<void> did = machine("cuDriverGetVersion", driver.driverVersion(&version)); !did)
    return did;
  if (Result<void> did =
          machine("cuDevicePrimaryCtxRetain", driver.retainContext(&context, device));
      !did)
    return did;
  capability = 10 * major + minor;
  if (capability < kLeastCapability)
    return machineError(fmt::format("{} is sm_{}, and kernels are for sm_{} and newer", deviceName,
                                    capability, kLeastCapability));
  text = fmt::format("{}, sm_{}, {} multiprocessors, driver {}.{}", deviceName, capability,
                     multiprocessors, version / 1000, version % 1000 / 10);
  Result<int64_t> left = freeBytes();
  if (!left)
    return left.error();
  freeAtFirst = *left;
  return {};
}

bool CudaDevice::runs(const std::string &target) const {
  return bool(archFor(target, capability));
}

Result<DeviceAddress> CudaDevice::allocate(size_t bytes) {
  if (Result<void> entered = enter(); !entered)
    return entered.error();
  CudaPointer pointer = 0;
  // The driver refuses 0 bytes; an empty array still has an address of its own.
  CudaStatus status = driver.allocate(&pointer, std::max<size_t>(bytes, 1));
  if (status != 0) {
    Error error = driver.error("cuMemAlloc", status);
    error.notes.push_back(fmt::format("{} bytes were asked for", bytes));
    return error;
  }
  return DeviceAddress(pointer);
}

Result<int64_t> CudaDevice::freeBytes() {
  if (Result<void> entered = enter(); !entered)
    return entered.error();
  size_t left = 0, all = 0;
  if (Result<void> did = check("cuMemGetInfo", driver.memoryInfo(&left, &all)); !did)
    return did.error();
  return static_cast<int64_t>(left);
}

Result<int64_t> CudaDevice::peakBytes() {
  Result<int64_t> left = freeBytes();
  return left ? Result<int64_t>(freeAtFirst - *left) : left;
}

Result<void> CudaDevice::free(DeviceAddress address) {
  if (Result<void> entered = enter(); !entered)
    return entered;
  return check("cuMemFree", driver.free(address));
}

Result<void> CudaDevice::copyToDevice(DeviceAddress to, const void *from, size_t bytes) {
  if (Result<void> entered = enter(); !entered || bytes == 0)
    return entered;
  return check("cuMemcpyHtoD", driver.copyToDevice(to, from, bytes));
}

Result<void> CudaDevice::copyToHost(void *to, DeviceAddress from, size_t bytes) {
  if (Result<void> entered = enter(); !entered || bytes == 0)
    return entered;
  return check("cuMemcpyDtoH", driver.copyToHost(to, from, bytes));
}

Result<std::string> CudaDevice::assemble(const Assembler &assembler, const std::string &ptx,
                                         const std::string &arch) const {
  auto make = [&]() -> Result<std::string> {
    Result<Cubin> cubin = assembler.assemble(ptx, arch);
    return cubin ? Result<std::string>(std::move(cubin->image)) : cubin.error();
  };
  if (!store)
    return make();
  return store->take(
      "cubin", fmt::format("{} {} for {}\n{}", assembler.name(), assembler.version(), arch, ptx),
      make);
}

Result<std::unique_ptr<Executable>> CudaDevice::load(const std::string &ptx,
                                                     const std::string &entry) {
  if (Result<void> entered = enter(); !entered)
    return entered.error();
  Result<std::string> arch = archFor(targetOf(ptx), capability);
  if (!arch)
    return arch.error();
  std::vector<std::string> notes;
  for (const std::unique_ptr<Assembler> &assembler : assemblers.found) {
    Result<std::string> cubin = assemble(*assembler, ptx, *arch);
    Result<std::unique_ptr<Executable>> loaded =
        cubin ? loadImage(*cubin, entry, std::string(assembler->name()))
              : Result<std::unique_ptr<Executable>>(cubin.error());
    if (loaded)
      return loaded;
    // A toolkit newer than the driver, or older than the GPU: the driver's own may still do.
    notes.push_back(fmt::format("{}: {}", assembler->name(), loaded.error().message));
    notes.insert(notes.end(), loaded.error().notes.begin(), loaded.error().notes.end());
  }
  Result<std::unique_ptr<Executable>> loaded = loadImage(ptx, entry, "driver");
  if (loaded)
    return loaded;
  Error error = loaded.error();
  error.notes.insert(error.notes.end(), notes.begin(), notes.end());
  return error;
}

Result<std::unique_ptr<Executable>>
CudaDevice::loadImage(const std::string &image, const std::string &entry, std::string assembler) {
  auto executable = std::make_unique<CudaExecutable>(driver, context);
  executable->assembler = std::move(assembler);
  // Sizes travel in the pointers themselves; the driver writes what it used back into the slots.
  std::string info(16384, '\0'), failure(16384, '\0');
  int keys[] = {cuda::jitInfoLog, cuda::jitInfoLogBytes, cuda::jitErrorLog, cuda::jitErrorLogBytes,
                cuda::jitLogVerbose};
  void *values[] = {info.data(), reinterpret_cast<void *>(info.size()), failure.data(),
                    reinterpret_cast<void *>(failure.size()), reinterpret_cast<void *>(1)};
  CudaStatus status =
      driver.loadModule(&executable->module, image.c_str(), std::size(keys), keys, values);
  if (status != 0) {
    executable->module = nullptr;
    Error error = driver.error("cuModuleLoadDataEx", status);
    addLines(error.notes, failure.c_str());
    addLines(error.notes, info.c_str());
    return error;
  }
  status = driver.function(&executable->function, executable->module, entry.c_str());
  if (status != 0) {
    Error error = driver.error("cuModuleGetFunction", status);
    error.notes.push_back(fmt::format("there is no kernel '{}' in this PTX", entry));
    return error;
  }
  // More than 48 KB of dynamic shared memory is had only by asking; ask for all there is.
  int fixed = 0;
  if (Result<void> did =
          check("cuFuncGetAttribute",
                driver.getFunctionAttribute(&fixed, cuda::staticSharedBytes, executable->function));
      !did)
    return did.error();
  if (Result<void> did =
          check("cuFuncSetAttribute",
                driver.setFunctionAttribute(executable->function, cuda::maxDynamicSharedBytes,
                                            std::max(0, sharedLimit - fixed)));
      !did)
    return did.error();
  return std::unique_ptr<Executable>(std::move(executable));
}

Result<void> CudaDevice::launch(const Executable &executable, const LaunchShape &shape,
                                std::span<const void *const> parameters) {
  if (Result<void> entered = enter(); !entered)
    return entered;
  const auto &kernel = static_cast<const CudaExecutable &>(executable);
  // The driver reads the values before it returns and writes none of them.
  auto **values = const_cast<void **>(parameters.data());
  auto *stream = static_cast<CudaStream>(shape.stream);
  if (!stream && recorded.device == this)
    stream = recorded.stream;
  CudaStatus status =
      driver.launch(kernel.function, shape.grid[0], shape.grid[1], shape.grid[2], shape.block[0],
                    shape.block[1], shape.block[2], shape.sharedBytes, stream, values, nullptr);
  if (status == 0)
    return {};
  Error error = driver.error("cuLaunchKernel", status);
  error.notes.push_back(fmt::format("grid ({}, {}, {}), block ({}, {}, {}), {} bytes of shared "
                                    "memory of {} at most",
                                    shape.grid[0], shape.grid[1], shape.grid[2], shape.block[0],
                                    shape.block[1], shape.block[2], shape.sharedBytes,
                                    sharedLimit));
  return error;
}

Result<void> CudaDevice::synchronize() {
  if (Result<void> entered = enter(); !entered)
    return entered;
  return check("cuCtxSynchronize", driver.synchronize());
}

Result<bool> CudaDevice::isCapturing(void *stream) {
  if (Result<void> entered = enter(); !entered)
    return entered.error();
  if (!stream && recorded.device == this)
    return true;
  int status = 0; // CU_STREAM_CAPTURE_STATUS_NONE
  Result<void> did =
      check("cuStreamIsCapturing", driver.isCapturing(static_cast<CudaStream>(stream), &status));
  if (!did)
    return did.error();
  return status != 0;
}

Result<std::unique_ptr<Recording>>
CudaDevice::record(const std::function<Result<void>()> &enqueue) {
  if (Result<void> entered = enter(); !entered)
    return entered.error();
  CudaStream stream = nullptr;
  CudaGraph graph = nullptr;
  auto recording = std::make_unique<CudaRecording>(driver, context);
  auto make = [&]() -> Result<void> {
    if (auto did = check("cuStreamCreate", driver.createStream(&stream, cuda::streamNonBlocking));
        !did)
      return did;
    if (auto did = check("cuStreamBeginCapture",
                         driver.beginCapture(stream, cuda::captureModeThreadLocal));
        !did)
      return did;
    recorded = {this, stream};
    Result<void> enqueued = enqueue();
    recorded = {};
    // A capture is ended whatever happened in it; what happened first is what is said.
    Result<void> ended = check("cuStreamEndCapture", driver.endCapture(stream, &graph));
    if (!enqueued || !ended)
      return enqueued ? ended : enqueued;
    return check("cuGraphInstantiate", driver.instantiateGraph(&recording->graph, graph, 0));
  };
  Result<void> made = make();
  if (graph)
    driver.destroyGraph(graph);
  if (stream)
    driver.destroyStream(stream);
  if (!made)
    return made.error();
  return std::unique_ptr<Recording>(std::move(recording));
}

Result<double> CudaDevice::timeLaunch(const Executable &executable, const LaunchShape &shape,
                                      std::span<const void *const> parameters) {
  if (Result<void> entered = enter(); !entered)
    return entered.error();
  CudaEvent begin = nullptr, end = nullptr;
  auto measure = [&]() -> Result<double> {
    if (Result<void> did = check("cuEventCreate", driver.createEvent(&begin, 0)); !did)
      return did.error();
    if (Result<void> did = check("cuEventCreate", driver.createEvent(&end, 0)); !did)
      return did.error();
    if (Result<void> did = check("cuEventRecord", driver.recordEvent(begin, nullptr)); !did)
      return did.error();
    if (Result<void> did = launch(executable, shape, parameters); !did)
      return did.error();
    if (Result<void> did = check("cuEventRecord", driver.recordEvent(end, nullptr)); !did)
      return did.error();
    if (Result<void> did = check("cuEventSynchronize", driver.synchronizeEvent(end)); !did)
      return did.error();
    float milliseconds = 0;
    if (Result<void> did = check("cuEventElapsedTime", driver.elapsed(&milliseconds, begin, end));
        !did)
      return did.error();
    return double(milliseconds);
  };
  Result<double> time = measure();
  for (CudaEvent event : {begin, end})
    if (event)
      driver.destroyEvent(event);
  return time;
}

std::string_view CudaDevice::assembledBy(const Executable &executable) {
  return static_cast<const CudaExecutable &>(executable).assembler;
}

Result<std::unique_ptr<CudaDevice>> openCudaDevice(const CudaOptions &options) {
  std::string file = options.library.empty() ? "libcuda.so.1" : options.library;
  Result<Library> library = Library::open({&file, 1});
  if (!library) {
    Error error = machineError(fmt::format("no NVIDIA driver: {} cannot be opened", file));
    error.notes = library.error().notes;
    return error;
  }
  CudaDriver driver;
  if (const char *missing = driver.bind(*library))
    return machineError(fmt::format("the NVIDIA driver is too old: {} has no {}", file, missing));
  AssemblerSearch search = options.search ? *options.search : AssemblerSearch::fromEnvironment();
  std::unique_ptr<CudaDevice> device(
      new CudaDevice(std::move(*library), driver, Assemblers::open(search)));
  device->store = options.store;
  if (Result<void> opened = device->open(options.ordinal); !opened)
    return opened.error();
  return device;
}

} // namespace sparsec
