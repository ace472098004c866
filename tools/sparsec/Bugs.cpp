#include "tools/sparsec/Bugs.h"

#include "tools/sparsec/Version.h"

#include <csignal>
#include <cstring>
#include <fmt/core.h>
#include <llvm/Support/ErrorHandling.h>
#include <unistd.h>

namespace sparsec::cli {
namespace {

/// Made before anything can go wrong: a handler may only write it.
std::string &text() {
  static std::string made;
  return made;
}

void crashed(int signal) {
  const char *name = signal == SIGABRT ? "error: internal error: aborted\n"
                                       : "error: internal error: invalid memory access\n";
  (void)!write(STDERR_FILENO, name, std::strlen(name));
  (void)!write(STDERR_FILENO, text().data(), text().size());
  _exit(70);
}

void llvmFailed(void *, const char *reason, bool) {
  fmt::print(stderr, "error: internal error: LLVM: {}\n{}", reason, text());
  _exit(70);
}

} // namespace

void reportBugs(const std::vector<std::string> &arguments) {
  text() = fmt::format("note: this is a bug of sparsec; please report the lines above, the pattern "
                       "file, and these two:\nnote: {}, {}\nnote: sparsec",
                       kVersionLine, kCompiler);
  for (const std::string &argument : arguments)
    text() += argument.find_first_of(" '\"()*&;|<>$\\\n") == std::string::npos
                  ? " " + argument
                  : " '" + argument + "'";
  text() += "\n";
  // On a stack of its own, so that a stack that overflowed can be reported too.
  static char stack[64 << 10];
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof stack;
  sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_handler = crashed;
  action.sa_flags = SA_ONSTACK | SA_RESETHAND;
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
    sigaction(signal, &action, nullptr);
  llvm::install_fatal_error_handler(llvmFailed);
}

const char *whatToReport() {
  return text().c_str();
}

} // namespace sparsec::cli
