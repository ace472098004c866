#include "runtime/c/Boundary.h"

#include <cstdlib>

namespace sparsec {

/// The last failure's text: the only state that the interface keeps, one for each thread.
static std::string &errorText() {
  thread_local std::string text;
  return text;
}

sparsec_status failed(const Error &error, sparsec_status status) noexcept {
  try {
    std::string text = error.where ? error.render() : error.message;
    if (!error.where)
      for (const std::string &note : error.notes)
        text += "\nnote: " + note;
    while (text.ends_with('\n'))
      text.pop_back();
    errorText() = std::move(text);
  } catch (...) {
    errorText().clear();
  }
  return status;
}

sparsec_status failed(const Error &error) noexcept {
  switch (error.kind) {
  case ErrorKind::Input:
    return failed(error, SPARSEC_INPUT);
  case ErrorKind::Machine:
    return failed(error, SPARSEC_MACHINE);
  case ErrorKind::Internal:
    break;
  }
  return failed(error, SPARSEC_INTERNAL);
}

Result<void> giveText(const std::string &text, char **out) {
  char *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (!copy)
    return machineError("out of memory");
  std::memcpy(copy, text.c_str(), text.size() + 1);
  *out = copy;
  return {};
}

} // namespace sparsec

extern "C" {

const char *sparsec_error(void) {
  return sparsec::errorText().c_str();
}

const char *sparsec_version(void) {
  return SPARSEC_VERSION;
}

void sparsec_free_text(char *text) {
  std::free(text);
}
}
