// A shared object opened from its bytes.
#pragma once

#include "patterns/Error.h"

#include <memory>
#include <string>

namespace sparsec {

class SharedObject {
public:
  static Result<std::shared_ptr<SharedObject>> open(const std::string &bytes);
  ~SharedObject();
  SharedObject(const SharedObject &) = delete;
  SharedObject &operator=(const SharedObject &) = delete;

  void *symbol(const std::string &name) const; ///< null when there is none

private:
  SharedObject() = default;
  // Open for as long as the library is: the loader knows libraries by path, and this is its path.
  int descriptor = -1;
  void *handle = nullptr;
};

} // namespace sparsec
