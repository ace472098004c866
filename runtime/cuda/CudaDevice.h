// The device `cuda`: a GPU through its driver, which is opened at run time.
//
// PTX is assembled for this GPU by the first that succeeds: NVRTC, ptxas, the driver's own
// compiler. The last needs nothing installed and is always there; the others tell about spills
// first and keep what the driver's would drop.
//
// A kernel that touches memory which is not its own ends the driver's context: the error comes
// from the next synchronize() or copy, and every later call repeats it. Open the device again in a
// new process.
#pragma once

#include "runtime/Device.h"
#include "runtime/cuda/Assemble.h"
#include "runtime/cuda/Driver.h"

namespace sparsec {

struct CudaOptions {
  int ordinal = 0;                         ///< which GPU, as the driver counts them
  std::string library{};                   ///< the driver; empty: libcuda.so.1
  std::optional<AssemblerSearch> search{}; ///< none: from the environment
  std::shared_ptr<DiskStore> store{};      ///< keeps what assemblers made; null: nothing does
};

class CudaDevice final : public Device {
public:
  ~CudaDevice() override;
  CudaDevice(const CudaDevice &) = delete;
  CudaDevice &operator=(const CudaDevice &) = delete;

  std::string_view name() const override { return "cuda"; }
  /// "NVIDIA H200, sm_90, 132 multiprocessors, driver 13.0"
  std::string description() const override { return text; }

  Result<DeviceAddress> allocate(size_t bytes) override;
  Result<void> free(DeviceAddress address) override;
  Result<int64_t> freeBytes() override;
  Result<int64_t> peakBytes() override;
  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override;
  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override;
  Result<std::unique_ptr<Executable>> load(const std::string &ptx,
                                           const std::string &entry) override;
  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override;
  Result<void> synchronize() override;
  Result<bool> isCapturing(void *stream) override;
  Result<std::unique_ptr<Recording>> record(const std::function<Result<void>()> &enqueue) override;

  /// Launches once and waits: the milliseconds between the driver's events around it.
  Result<double> timeLaunch(const Executable &executable, const LaunchShape &shape,
                            std::span<const void *const> parameters);
  int computeCapability() const { return capability; } ///< 90 for sm_90
  int driverVersion() const { return version; }        ///< 12040 for CUDA 12.4
  int sharedBytes() const { return sharedLimit; }      ///< that a block may have when it asks
  bool runs(const std::string &target) const;          ///< code for this target, "sm_80"
  /// What made the machine code of an executable of this device: "nvrtc", "ptxas", "driver".
  static std::string_view assembledBy(const Executable &executable);

private:
  friend Result<std::unique_ptr<CudaDevice>> openCudaDevice(const CudaOptions &options);
  CudaDevice(Library library, CudaDriver driver, Assemblers assemblers);
  Result<void> open(int ordinal);
  /// Success, or what the driver says about a call.
  Result<void> check(const char *call, CudaStatus status) const;
  Result<void> enter() const; ///< makes the context current on this thread
  Result<std::unique_ptr<Executable>> loadImage(const std::string &image, const std::string &entry,
                                                std::string assembler);
  Result<std::string> assemble(const Assembler &assembler, const std::string &ptx,
                               const std::string &arch) const;

  Library library;
  CudaDriver driver;
  Assemblers assemblers;
  std::shared_ptr<DiskStore> store;
  int device = 0;
  int capability = 0, version = 0;
  int sharedLimit = 0; ///< bytes a block may have when it asks
  CudaContext context = nullptr;
  int64_t freeAtFirst = 0; ///< bytes, when it was opened
  std::string text;
};

/// A Machine error that says what is missing when there is no GPU, or no driver.
Result<std::unique_ptr<CudaDevice>> openCudaDevice(const CudaOptions &options = {});

} // namespace sparsec
