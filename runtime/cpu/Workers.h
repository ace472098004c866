// Threads that take work items in order (Deal.h): whoever is free takes the next.
//
//   items, longest first   0 1 2 3 4 5 6 7      worker 0: 0   2 4   7
//                                               worker 1: 1 3   5 6
//
// Results do not depend on who did what: an item writes only what is its own. oneTBB where it is
// linked; the static program, for which there is no archive of it, has threads of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace sparsec {

class Workers {
public:
  /// The calling thread is one of them.
  explicit Workers(int threads);
  ~Workers();
  int count() const { return threads; }
  /// Calls work(worker, item) for every item below `items`, and returns when all are done. Several
  /// threads may run work at once: workers of one run each have a number of their own.
  void run(int64_t items, const std::function<void(int worker, int64_t item)> &work);

private:
  struct Pool;
  int threads;
  std::unique_ptr<Pool> pool;
};

} // namespace sparsec
