#include "runtime/cpu/Workers.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace sparsec {

struct Workers::Pool {
  std::mutex mutex;
  std::condition_variable begin, end;
  const std::function<void(int)> *job = nullptr;
  uint64_t generation = 0;
  int busy = 0;
  bool stopping = false;
  std::vector<std::thread> others;

  void serve(int worker) {
    uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      begin.wait(lock, [&] { return stopping || generation != seen; });
      if (stopping)
        return;
      seen = generation;
      const auto *mine = job;
      lock.unlock();
      (*mine)(worker);
      lock.lock();
      if (--busy == 0)
        end.notify_one();
    }
  }
};

Workers::Workers(int threads) : threads(threads), pool(std::make_unique<Pool>()) {
  for (int worker = 1; worker < threads; ++worker)
    pool->others.emplace_back([this, worker] { pool->serve(worker); });
}

Workers::~Workers() {
  {
    std::lock_guard lock(pool->mutex);
    pool->stopping = true;
  }
  pool->begin.notify_all();
  for (std::thread &other : pool->others)
    other.join();
}

void Workers::run(int64_t items, const std::function<void(int, int64_t)> &work) {
  std::atomic<int64_t> next = 0;
  std::function<void(int)> each = [&](int worker) {
    for (int64_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < items;)
      work(worker, item);
  };
  if (threads == 1 || items == 1) {
    each(0);
    return;
  }
  {
    std::lock_guard lock(pool->mutex);
    pool->job = &each;
    pool->busy = threads - 1;
    ++pool->generation;
  }
  pool->begin.notify_all();
  each(0);
  std::unique_lock lock(pool->mutex);
  pool->end.wait(lock, [&] { return pool->busy == 0; });
}

} // namespace sparsec
