#include "tools/sparsec/Progress.h"

#include <chrono>
#include <fmt/core.h>
#include <unistd.h>

namespace sparsec::cli {

Progress::Progress(const Session &session, std::string what, int64_t total)
    : what(std::move(what)), total(total) {
  if (!session.quiet && isatty(STDERR_FILENO))
    thread = std::thread([this] { draw(); });
}

Progress::~Progress() {
  if (!thread.joinable())
    return;
  {
    std::lock_guard hold(mutex);
    over = true;
  }
  finished.notify_one();
  thread.join();
}

void Progress::draw() {
  using namespace std::chrono_literals;
  auto start = std::chrono::steady_clock::now();
  std::unique_lock hold(mutex);
  if (finished.wait_for(hold, 1s, [&] { return over; }))
    return;
  do {
    auto past = std::chrono::steady_clock::now() - start;
    std::string far = total ? fmt::format("  {} of {}", done.load(), total) : "";
    fmt::print(stderr, "\r\x1b[K{}{}  ({} s)", what, far,
               std::chrono::duration_cast<std::chrono::seconds>(past).count());
    fflush(stderr);
  } while (!finished.wait_for(hold, 250ms, [&] { return over; }));
  fmt::print(stderr, "\r\x1b[K");
}

} // namespace sparsec::cli
