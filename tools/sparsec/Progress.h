// One line on stderr for work that takes more than a second, on terminals only:
//
//   compiling  3 of 8  (4 s)
//   planning  (4 s)                 where nobody knows how much there is
#pragma once

#include "tools/sparsec/Command.h"

#include <atomic>
#include <condition_variable>
#include <thread>

namespace sparsec::cli {

class Progress {
public:
  Progress(const Session &session, std::string what, int64_t total = 0);
  ~Progress(); ///< wipes the line
  void step(int64_t count = 1) { done += count; }

private:
  void draw();
  std::string what;
  int64_t total = 0;
  std::atomic<int64_t> done = 0;
  std::mutex mutex;
  std::condition_variable finished;
  bool over = false;
  std::thread thread; ///< not started where nobody looks
};

} // namespace sparsec::cli
