// A shared library opened while the program runs: NVRTC and the driver are used where they are
// found and never needed to build or to start.
#pragma once

#include "patterns/Error.h"

#include <span>

namespace sparsec {

class Library {
public:
  /// The first of these that opens (a path, or a name that the loader searches for).
  static Result<Library> open(std::span<const std::string> candidates);

  Library(Library &&other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
  Library &operator=(Library &&other) noexcept {
    std::swap(handle, other.handle);
    return *this;
  }
  ~Library();

  /// Points `function` at a symbol; false when the library has none of that name.
  template <class F>
  bool bind(F *&function, const char *symbol) const {
    function = reinterpret_cast<F *>(find(symbol));
    return function != nullptr;
  }
  /// The file that a symbol came from.
  std::string path(const char *symbol) const;

private:
  explicit Library(void *handle) : handle(handle) {}
  void *find(const char *symbol) const;
  void *handle = nullptr;
};

} // namespace sparsec
