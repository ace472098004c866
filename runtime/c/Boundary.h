// Where C calls come in: handles, errors as statuses and texts, structs of any version.
#pragma once

#include "patterns/Error.h"
#include "runtime/KernelStore.h"
#include "runtime/Program.h"
#include "runtime/c/sparsec.h"
#include "runtime/compiler/OpenCompiler.h"

#include <cstring>
#include <new>

// What the handles are.
struct sparsec_device {
  std::shared_ptr<sparsec::Device> device;
  std::shared_ptr<sparsec::KernelStore> store;
  int32_t dlpackType = SPARSEC_DL_CPU, dlpackId = 0;
};
struct sparsec_program {
  std::shared_ptr<sparsec::Program> program;
  int32_t dlpackType = SPARSEC_DL_CPU, dlpackId = 0;
};
struct sparsec_plan {
  std::shared_ptr<sparsec::Program> program;
  std::shared_ptr<const sparsec::ProgramPlan> plan;
  int32_t dlpackType = SPARSEC_DL_CPU, dlpackId = 0;
};

namespace sparsec {

/// Keeps the text of a failure for this thread; its status.
sparsec_status failed(const Error &error, sparsec_status status) noexcept;
sparsec_status failed(const Error &error) noexcept;

/// Runs the body of a C function: an Error becomes a status and a text, and so does what the
/// standard library throws.
template <class Body>
sparsec_status guarded(Body &&body) noexcept {
  try {
    Result<void> done = body();
    return done ? SPARSEC_OK : failed(done.error());
  } catch (const std::bad_alloc &) {
    return failed(machineError("out of memory"));
  } catch (const std::exception &thrown) {
    return failed(internalError(thrown.what()));
  } catch (...) {
    return failed(internalError("something was thrown"));
  }
}

/// A struct as this version has it: what a shorter one does not say is zero.
template <class T>
Result<T> versioned(const T *given, const char *name) {
  T own = {};
  if (!given)
    return inputError(std::string(name) + ": expected a struct, found null");
  size_t size = given->size;
  if (size < sizeof(size_t))
    return inputError(std::string(name) + ".size: expected sizeof of the struct, found " +
                      std::to_string(size));
  const auto *bytes = reinterpret_cast<const unsigned char *>(given);
  for (size_t i = sizeof(T); i < size; ++i)
    if (bytes[i] != 0)
      return inputError(std::string(name) + ".size: says more than this version of sparsec, " +
                        sparsec_version() + ", knows");
  std::memcpy(&own, given, std::min(size, sizeof(T)));
  own.size = sizeof(T);
  return own;
}

/// Refuses a null pointer by its name.
inline Result<void> expectPointer(const void *pointer, const char *name) {
  if (pointer)
    return {};
  return inputError(std::string(name) + ": expected a pointer, found null");
}

/// A text for the caller to free.
Result<void> giveText(const std::string &text, char **out);

} // namespace sparsec
