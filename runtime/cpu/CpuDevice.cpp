#include "runtime/cpu/CpuDevice.h"

#include "kernel/CpuCall.h"
#include "runtime/cpu/HostCpu.h"
#include "runtime/cpu/SharedObject.h"
#include "runtime/cpu/Workers.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace sparsec {
namespace {

constexpr std::align_val_t kAlignment{256};
constexpr int64_t kTilePairs = 64 * 64; ///< of queries and keys: 10 us at head dim 64

/// Memory with an owner; never moves.
class AlignedMemory {
public:
  explicit AlignedMemory(size_t bytes)
      : data(static_cast<std::byte *>(operator new(bytes, kAlignment, std::nothrow))), size(bytes) {
  }
  ~AlignedMemory() { operator delete(data, kAlignment); }
  AlignedMemory(const AlignedMemory &) = delete;
  AlignedMemory &operator=(const AlignedMemory &) = delete;

  std::byte *const data;
  const size_t size;
};

class CpuExecutable : public Executable {
public:
  std::shared_ptr<SharedObject> library;
  CpuEntry entry = nullptr;
  KernelInfo info;
};

class CpuDevice : public Device {
public:
  explicit CpuDevice(int threads) : workers(threads) {}

  std::string_view name() const override { return "cpu"; }
  std::string description() const override {
    return fmt::format("{} thread{} of {}, {}", workers.count(), workers.count() == 1 ? "" : "s",
                       hostProcessor(), hostLevel());
  }

  Result<DeviceAddress> allocate(size_t bytes) override {
    auto made = std::make_unique<AlignedMemory>(std::max<size_t>(bytes, 1));
    if (!made->data)
      return machineError(fmt::format("out of memory: {} bytes", bytes));
    auto address = reinterpret_cast<DeviceAddress>(made->data);
    std::lock_guard lock(mutex);
    allocations[address] = std::move(made);
    return address;
  }

  Result<void> free(DeviceAddress address) override {
    std::lock_guard lock(mutex);
    if (allocations.erase(address) == 0)
      return inputError(fmt::format("free of {:#x}, where no allocation begins", address));
    return {};
  }

  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override {
    if (Result<void> inside = check("copy to", to, bytes); !inside)
      return inside;
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
    return {};
  }

  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override {
    if (Result<void> inside = check("copy from", from, bytes); !inside)
      return inside;
    std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
    return {};
  }

  Result<std::unique_ptr<Executable>> load(const std::string &code,
                                           const std::string &entry) override {
    Result<std::shared_ptr<SharedObject>> library = open(code);
    if (!library)
      return library.error();
    auto made = std::make_unique<CpuExecutable>();
    made->library = *library;
    made->entry = reinterpret_cast<CpuEntry>(made->library->symbol(entry));
    const void *info = made->library->symbol(entry + "_info");
    if (!made->entry || !info)
      return inputError(fmt::format("expected a kernel '{}' in the shared object", entry));
    std::memcpy(&made->info, info, sizeof made->info);
    std::string_view level(made->info.level, strnlen(made->info.level, sizeof made->info.level));
    if (!hostRunsLevel(level))
      return machineError(
          fmt::format("'{}' is compiled for {}, which this machine does not have", entry, level));
    return std::unique_ptr<Executable>(std::move(made));
  }

  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override {
    const auto *kernel = dynamic_cast<const CpuExecutable *>(&executable);
    if (!kernel)
      return internalError("launch on cpu of a kernel that another device loaded");
    if (parameters.size() != 1)
      return inputError(fmt::format("expected 1 parameter, found {}", parameters.size()));
    int64_t items = 1;
    for (uint32_t extent : shape.grid)
      if (extent == 0 || extent > INT32_MAX || shape.grid[0] > 1u << kSliceShift ||
          __builtin_mul_overflow(items, extent, &items))
        return inputError(fmt::format("a grid of ({},{},{}) work items", shape.grid[0],
                                      shape.grid[1], shape.grid[2]));
    std::unique_lock<std::mutex> lock;
    std::byte *scratch = reinterpret_cast<std::byte *>(shape.scratch);
    size_t stride = scratchStride(kernel->info);
    if (!scratch && stride > 0) {
      lock = std::unique_lock(launching);
      if (!ownScratch || ownScratch->size < stride * workers.count())
        ownScratch = std::make_unique<AlignedMemory>(stride * workers.count());
      scratch = ownScratch->data;
      if (!scratch)
        return machineError(
            fmt::format("out of memory: {} bytes of scratch", stride * workers.count()));
    }
    // The kernel reads the caller's struct: it stays there until launch() returns.
    const void *arguments = parameters[0];
    bool lastFirst = !isOrdered(kernel->info, arguments) && !kernel->info.longestFirst;
    // A tile is done before another thread is awake.
    bool isTile = workers.count() == 1 || (0 <= shape.pairs && shape.pairs <= kTilePairs);
    // The last row of each worker in slices, so that the others need not wait for a whole one.
    int64_t slices = isTile ? 1 : kernel->info.slices;
    int64_t whole = slices > 1 ? std::max<int64_t>(items - workers.count(), 0) : items;
    auto each = [&](int worker, int64_t item) {
      int64_t slice = 0; // 0: the whole row
      if (item >= whole) {
        slice = (item - whole) % slices + 1;
        item = whole + (item - whole) / slices;
      }
      int64_t outer = item / shape.grid[0], x = item % shape.grid[0];
      if (lastFirst)
        x = shape.grid[0] - 1 - x;
      kernel->entry(arguments, int32_t(x | slice << kSliceShift), int32_t(outer % shape.grid[1]),
                    int32_t(outer / shape.grid[1]), scratch + size_t(worker) * stride);
    };
    if (isTile)
      for (int64_t item = 0; item < items; ++item)
        each(0, item);
    else
      workers.run(whole + (items - whole) * slices, std::ref(each)); // copies, allocates nothing
    return {};
  }

  Result<void> synchronize() override { return {}; }

  size_t scratchBytes(const Executable &executable) const override {
    return scratchStride(static_cast<const CpuExecutable &>(executable).info) * workers.count();
  }

private:
  /// From one worker's scratch to the next: no two share a cache line.
  static size_t scratchStride(const KernelInfo &info) {
    return (size_t(info.scratchBytes) + size_t(kAlignment) - 1) / size_t(kAlignment) *
           size_t(kAlignment);
  }

  /// Whether the arguments bring an order of the rows.
  static bool isOrdered(const KernelInfo &info, const void *arguments) {
    const void *order = nullptr;
    if (info.orderOffset >= 0)
      std::memcpy(&order, static_cast<const std::byte *>(arguments) + info.orderOffset,
                  sizeof order);
    return order != nullptr;
  }

  Result<void> check(const char *doing, DeviceAddress address, size_t bytes) {
    if (bytes == 0)
      return {};
    std::lock_guard lock(mutex);
    auto after = allocations.upper_bound(address);
    if (after != allocations.begin()) {
      auto &[base, memory] = *std::prev(after);
      if (address - base <= memory->size && bytes <= memory->size - (address - base))
        return {};
    }
    return inputError(
        fmt::format("{} {:#x}: {} bytes are not in one allocation", doing, address, bytes));
  }

  /// The library of these bytes, opened once.
  Result<std::shared_ptr<SharedObject>> open(const std::string &code) {
    std::lock_guard lock(mutex);
    if (auto known = libraries.find(code); known != libraries.end())
      return known->second;
    Result<std::shared_ptr<SharedObject>> library = SharedObject::open(code);
    if (library)
      libraries[code] = *library;
    return library;
  }

  Workers workers;
  std::mutex mutex, launching;
  std::map<DeviceAddress, std::unique_ptr<AlignedMemory>> allocations;
  std::unordered_map<std::string, std::shared_ptr<SharedObject>> libraries;
  std::unique_ptr<AlignedMemory> ownScratch; ///< of launches that bring none, one at a time
};

} // namespace

std::unique_ptr<Device> openCpuDevice(CpuOptions options) {
  return std::make_unique<CpuDevice>(options.threads > 0 ? options.threads : hostThreads());
}

} // namespace sparsec
