// Compiled kernels by everything that their code depends on: the request, its target with its
// limits, for a CPU the level that "host" means here, and the version of the compiler.
//
//   KernelStore store(compile, compilerVersion());
//   auto kernels = store.kernels(request);    compiles
//   auto again = store.kernels(request);      the same ones
//
// In memory so far; the key is text, so that a store on disk can be told by it too. Nothing is ever
// given up, and nothing is kept of a failure. Safe to use from several threads; two that ask for
// the same new kernels at once may both compile them, and get those that were first.
#pragma once

#include "kernel/Request.h"

#include <mutex>
#include <unordered_map>

namespace sparsec {

/// What tells stored kernels apart.
std::string storeKey(const Request &request, const std::string &version);

class KernelStore {
public:
  /// `version`: of the compiler (codegen/Compiler.h).
  KernelStore(CompileFunction compile, std::string version)
      : compile(std::move(compile)), version(std::move(version)) {}

  Result<std::shared_ptr<const std::vector<Kernel>>> kernels(const Request &request);

private:
  CompileFunction compile;
  std::string version;
  std::mutex mutex;
  std::unordered_map<std::string, std::shared_ptr<const std::vector<Kernel>>> stored;
};

} // namespace sparsec
