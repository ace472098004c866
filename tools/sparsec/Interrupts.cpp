#include "tools/sparsec/Interrupts.h"

#include <csignal>
#include <thread>
#include <unistd.h>

namespace sparsec::cli {
namespace {

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&set, signal);
  return set;
}

} // namespace

Interrupts::Interrupts() {
  // A file that grows past the limit of its size is an error of its write, not our end.
  std::signal(SIGXFSZ, SIG_IGN);
  sigset_t set = handled();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread([this] { wait(); }).detach();
}

void Interrupts::unfinished(std::filesystem::path path) {
  folder = std::move(path);
}

void Interrupts::wait() {
  sigset_t set = handled();
  int signal = 0;
  sigwait(&set, &signal);
  lock.lock(); // for good: nothing is published after this
  std::error_code ignored;
  if (!folder.empty())
    std::filesystem::remove_all(folder, ignored);
  if (isatty(STDERR_FILENO))
    (void)!write(STDERR_FILENO, "\r\x1b[K", 4);
  std::signal(signal, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  raise(signal);
}

} // namespace sparsec::cli
