// What the kernels of the cpu device are measured against, in the same run on the same threads: the
// FMA peak, OpenBLAS' products at the shapes of attention, and dense attention on OpenBLAS.
#pragma once

#include "tools/bench/Contestant.h"
#include "tools/bench/ForwardRun.h"

namespace sparsec {

struct CpuBaselines {
  std::string peak; ///< "AVX2 and FMA, f32"
  std::string blas; ///< "OpenBLAS 0.3.21, Zen kernels", or why its rows are missing
  std::vector<Contestant> contestants;
};

enum class Baselines {
  All,
  PeakOnly, ///< nothing but what `fraction_of_peak` needs
};

/// `tensors` are in this machine's memory, as the cpu device's are, and outlive the contestants.
CpuBaselines cpuBaselines(const ForwardTensors &tensors, int threads, Baselines wanted);

} // namespace sparsec
