#include "tests/verify/GuardedDevice.h"

#include "kernel/CpuCall.h"
#include "runtime/cpu/SharedObject.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace sparsec::testing {

namespace {

constexpr size_t kPage = 4096;

size_t wholePages(size_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

void *pointer(DeviceAddress address) {
  return reinterpret_cast<void *>(static_cast<uintptr_t>(address));
}

class GuardedExecutable : public Executable {
public:
  std::shared_ptr<SharedObject> library;
  CpuEntry entry = nullptr;
  const KernelInfo *info = nullptr;
};

// What a signal handler may read: it can be told nothing else.
char note[4096];
std::atomic<size_t> noteLength = 0;

void sayNote(int signal) {
  constexpr char kWhile[] = "\nended by a signal, in ";
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, kWhile, sizeof kWhile - 1);
  written = write(STDERR_FILENO, note, noteLength);
  written = write(STDERR_FILENO, "\n", 1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

} // namespace

GuardedDevice::~GuardedDevice() {
  for (const auto &[address, mapping] : mappings)
    munmap(mapping.base, mapping.bytes);
}

Result<DeviceAddress> GuardedDevice::allocate(size_t bytes) {
  size_t room = wholePages(bytes);
  Mapping mapping{.bytes = room + 2 * kPage};
  mapping.base = mmap(nullptr, mapping.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping.base == MAP_FAILED)
    return machineError("no memory for a guarded allocation");
  char *first = static_cast<char *>(mapping.base) + kPage;
  if (mprotect(first, room, PROT_READ | PROT_WRITE) != 0)
    return machineError("no memory for a guarded allocation");
  std::memset(first, 0xFF, room); // NaN of every type, wherever nothing else is put
  auto address =
      reinterpret_cast<DeviceAddress>(first) + (guard == Guard::After ? room - bytes : 0);
  mappings.emplace(address, mapping);
  return address;
}

Result<void> GuardedDevice::free(DeviceAddress address) {
  auto found = mappings.find(address);
  if (found == mappings.end())
    return internalError("freed what was not allocated");
  munmap(found->second.base, found->second.bytes);
  mappings.erase(found);
  return {};
}

Result<void> GuardedDevice::copyToDevice(DeviceAddress to, const void *from, size_t bytes) {
  std::memcpy(pointer(to), from, bytes);
  return {};
}

Result<void> GuardedDevice::copyToHost(void *to, DeviceAddress from, size_t bytes) {
  std::memcpy(to, pointer(from), bytes);
  return {};
}

Result<std::unique_ptr<Executable>> GuardedDevice::load(const std::string &code,
                                                        const std::string &entry) {
  Result<std::shared_ptr<SharedObject>> library = SharedObject::open(code);
  if (!library)
    return library.error();
  auto loaded = std::make_unique<GuardedExecutable>();
  loaded->library = *library;
  loaded->entry = reinterpret_cast<CpuEntry>((*library)->symbol(entry));
  loaded->info = static_cast<const KernelInfo *>((*library)->symbol(entry + "_info"));
  if (!loaded->entry || !loaded->info)
    return inputError("no kernel " + entry);
  return std::unique_ptr<Executable>(std::move(loaded));
}

Result<void> GuardedDevice::launch(const Executable &executable, const LaunchShape &shape,
                                   std::span<const void *const> parameters) {
  const auto &kernel = dynamic_cast<const GuardedExecutable &>(executable);
  auto bytes = static_cast<size_t>(kernel.info->scratchBytes);
  if (bytes % 64 != 0)
    return internalError("expected scratch in whole cache lines");
  Result<DeviceAddress> scratch = allocate(bytes);
  if (!scratch)
    return scratch.error();
  for (uint32_t z = 0; z < shape.grid[2]; ++z)
    for (uint32_t y = 0; y < shape.grid[1]; ++y)
      for (uint32_t x = 0; x < shape.grid[0]; ++x) {
        std::memset(pointer(*scratch), 0xFF, bytes);
        kernel.entry(parameters[0], static_cast<int32_t>(x), static_cast<int32_t>(y),
                     static_cast<int32_t>(z), pointer(*scratch));
      }
  return free(*scratch);
}

CrashNote::CrashNote(const std::string &what) {
  size_t length = std::min(what.size(), sizeof note);
  std::memcpy(note, what.data(), length);
  noteLength = length;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE})
    std::signal(signal, sayNote);
}

CrashNote::~CrashNote() {
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE})
    std::signal(signal, SIG_DFL);
}

} // namespace sparsec::testing
