// What Ctrl-C (SIGINT, SIGTERM, SIGHUP) leaves behind: nothing. A thread of its own waits for these
// signals, removes the unfinished folder if there is one, and ends the process as the signal would.
// Must exist before any other thread, so that they all leave the signals to it.
#pragma once

#include <filesystem>
#include <mutex>

namespace sparsec::cli {

class Interrupts {
public:
  Interrupts();
  Interrupts(const Interrupts &) = delete;

  /// The folder to remove when a signal comes; empty: none. While `lock` is held no signal acts, so
  /// that a folder is renamed and forgotten in one step.
  void unfinished(std::filesystem::path folder);
  std::mutex lock;

private:
  void wait();
  std::filesystem::path folder;
};

} // namespace sparsec::cli
