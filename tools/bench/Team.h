// Threads that work together again and again: what the baselines run on, so that starting threads
// is not in their times.
//
//   Team team(3);
//   team.run([](int member) { ... });     members 0 (the caller), 1 and 2; returns when all have
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sparsec {

class Team {
public:
  explicit Team(int threads);
  ~Team();
  Team(const Team &) = delete;

  int size() const { return static_cast<int>(others.size()) + 1; }
  /// One call at a time; `work` must not throw.
  void run(const std::function<void(int)> &work);
  /// work(i) for 0 <= i < count, each on whichever member is free.
  void each(int64_t count, const std::function<void(int64_t i, int member)> &work);

private:
  void follow(int member);

  std::mutex mutex;
  std::condition_variable changed;
  const std::function<void(int)> *current = nullptr; ///< null: to end
  uint64_t round = 0;
  int busy = 0;
  std::vector<std::thread> others;
};

} // namespace sparsec
