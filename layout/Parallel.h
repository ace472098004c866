// The same work for many items on some threads.
//
// Items are taken in order by whoever is free; each writes what is its own alone. What an item
// throws (memory that is not there), the caller gets once all threads are done.
#pragma once

#include <cstdint>
#include <functional>

namespace sparsec {

/// 0: as many as the machine runs side by side.
int threadsFor(int asked);

void inParallel(int threads, int64_t items, const std::function<void(int64_t item)> &work);

} // namespace sparsec
