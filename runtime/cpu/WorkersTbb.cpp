#include "runtime/cpu/Deal.h"
#include "runtime/cpu/Workers.h"

#include <optional>
#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace sparsec {

struct Workers::Pool {
  explicit Pool(int threads) : arena(threads) {
    // TBB starts no more threads than there are cores, unless it is told to.
    if (threads > tbb::info::default_concurrency())
      more.emplace(tbb::global_control::max_allowed_parallelism, threads);
  }
  std::optional<tbb::global_control> more;
  tbb::task_arena arena;
};

Workers::Workers(int threads) : threads(threads), pool(std::make_unique<Pool>(threads)) {}
Workers::~Workers() = default;

void Workers::run(int64_t items, const std::function<void(int, int64_t)> &work) {
  Deal deal(items, threads);
  auto each = [&](int worker) { deal.take([&](int64_t item) { work(worker, item); }); };
  if (threads == 1 || items == 1) {
    each(0);
    return;
  }
  pool->arena.execute([&] { tbb::parallel_for(0, threads, each, tbb::simple_partitioner()); });
}

} // namespace sparsec
