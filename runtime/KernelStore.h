// Compiled kernels by everything that their code depends on: the request, its target with its
// limits, for a CPU the level that "host" means here, and the compiler with its version.
//
//   KernelStore store(compile, compilerStamp(), openEnvironmentStore(say));
//   auto kernels = store.kernels(request);    from disk (DiskStore.h), or compiles
//   auto again = store.kernels(request);      the same ones, in about a microsecond
//
// Nothing is ever given up in memory, and nothing is kept of a failure. Safe to use from several
// threads and processes: of those that ask for the same new kernels at once, one compiles them.
#pragma once

#include "kernel/Request.h"
#include "runtime/DiskStore.h"

#include <future>
#include <mutex>
#include <unordered_map>

namespace sparsec {

/// What tells stored kernels apart.
std::string storeKey(const Request &request, const std::string &version);

/// Kernels as bytes to keep, and back. Error: bytes that are cut or are no kernels.
std::string kernelsToBytes(const std::vector<Kernel> &kernels);
Result<std::vector<Kernel>> kernelsFromBytes(std::string_view bytes);

class KernelStore {
public:
  using Kernels = std::shared_ptr<const std::vector<Kernel>>;

  /// `version`: of the compiler (kernel/CompilerStamp.h). Without `disk` in memory alone.
  KernelStore(CompileFunction compile, std::string version,
              std::shared_ptr<DiskStore> disk = nullptr)
      : compile(std::move(compile)), version(std::move(version)), disk(std::move(disk)) {}

  Result<Kernels> kernels(const Request &request);

private:
  Result<Kernels> make(const Request &request, const std::string &key);

  CompileFunction compile;
  std::string version;
  std::shared_ptr<DiskStore> disk;
  std::mutex mutex;
  std::unordered_map<std::string, std::shared_future<Result<Kernels>>> stored;
};

} // namespace sparsec
