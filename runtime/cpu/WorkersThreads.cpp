#include "runtime/cpu/Deal.h"
#include "runtime/cpu/Workers.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace sparsec {
namespace {

void pause() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

/// Waits until a number is another one. Calls come in rows, a layer after the other: looking for a
/// tenth of a millisecond is cheaper than being woken, unless threads share cores.
template <class T>
T waitForChange(const std::atomic<T> &number, T old, bool mayLook) {
  constexpr int kLooks = 2000;
  for (int look = 0; mayLook && look < kLooks; ++look) {
    if (T now = number.load(std::memory_order_acquire); now != old)
      return now;
    pause();
  }
  for (;;) {
    number.wait(old, std::memory_order_acquire);
    if (T now = number.load(std::memory_order_acquire); now != old)
      return now;
  }
}

} // namespace

struct Workers::Pool {
  const std::function<void(int)> *job = nullptr; ///< null: the end
  std::atomic<uint32_t> round = 0;
  std::atomic<int> busy = 0;
  bool mayLook = false;
  std::vector<std::thread> others;
  std::mutex running; ///< one run at a time has the others

  void serve(int worker) {
    for (uint32_t seen = 0;;) {
      seen = waitForChange(round, seen, mayLook);
      if (!job)
        return;
      (*job)(worker);
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1)
        busy.notify_one();
    }
  }
  void begin(const std::function<void(int)> *next) {
    job = next;
    busy.store(int(others.size()), std::memory_order_relaxed);
    round.fetch_add(1, std::memory_order_release);
    round.notify_all();
  }
  void end() {
    for (int left; (left = busy.load(std::memory_order_acquire)) != 0;)
      waitForChange(busy, left, mayLook);
  }
};

Workers::Workers(int threads) : threads(threads), pool(std::make_unique<Pool>()) {
  pool->mayLook = threads <= int(std::thread::hardware_concurrency());
  for (int worker = 1; worker < threads; ++worker)
    pool->others.emplace_back([this, worker] { pool->serve(worker); });
}

Workers::~Workers() {
  pool->begin(nullptr);
  for (std::thread &other : pool->others)
    other.join();
}

void Workers::run(int64_t items, const std::function<void(int, int64_t)> &work) {
  Deal deal(items, threads);
  std::function<void(int)> each = [&](int worker) {
    deal.take([&](int64_t item) { work(worker, item); });
  };
  if (threads == 1 || items == 1) {
    each(0);
    return;
  }
  std::lock_guard lock(pool->running);
  pool->begin(&each);
  each(0);
  pool->end();
}

} // namespace sparsec
