#include "tools/bench/Team.h"

#include <atomic>

namespace sparsec {

Team::Team(int threads) {
  for (int member = 1; member < threads; ++member)
    others.emplace_back([this, member] { follow(member); });
}

Team::~Team() {
  {
    std::lock_guard lock(mutex);
    current = nullptr;
    ++round;
  }
  changed.notify_all();
  for (std::thread &other : others)
    other.join();
}

void Team::run(const std::function<void(int)> &work) {
  {
    std::lock_guard lock(mutex);
    current = &work;
    busy = static_cast<int>(others.size());
    ++round;
  }
  changed.notify_all();
  work(0);
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return busy == 0; });
}

void Team::each(int64_t count, const std::function<void(int64_t, int)> &work) {
  std::atomic<int64_t> next = 0;
  run([&](int member) {
    for (int64_t i; (i = next++) < count;)
      work(i, member);
  });
}

void Team::follow(int member) {
  for (uint64_t seen = 0;;) {
    const std::function<void(int)> *work = nullptr;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return round != seen; });
      seen = round;
      work = current;
    }
    if (!work)
      return;
    (*work)(member);
    std::lock_guard lock(mutex);
    if (--busy == 0)
      changed.notify_all();
  }
}

} // namespace sparsec
