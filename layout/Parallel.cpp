#include "layout/Parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace sparsec {

int threadsFor(int asked) {
  return asked > 0 ? asked : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void inParallel(int threads, int64_t items, const std::function<void(int64_t)> &work) {
  std::atomic<int64_t> next = 0;
  std::exception_ptr thrown;
  std::mutex mutex;
  auto run = [&] {
    try {
      for (int64_t i; (i = next++) < items;)
        work(i);
    } catch (...) {
      std::lock_guard hold(mutex);
      thrown = std::current_exception();
      next = items;
    }
  };
  std::vector<std::thread> others;
  int64_t wanted = std::min<int64_t>(threads, items);
  try {
    for (int64_t i = 1; i < wanted; ++i)
      others.emplace_back(run);
  } catch (const std::system_error &) {
    // Fewer threads than asked for do the same.
  }
  run();
  for (std::thread &other : others)
    other.join();
  if (thrown)
    std::rethrow_exception(thrown);
}

} // namespace sparsec
