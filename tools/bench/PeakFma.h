// The most that the cores of this machine compute, measured: chains of independent multiply-adds in
// registers, on as many threads as are compared with it.
//
//   a0 = a0 * x + y    a1 = a1 * x + y    ...    more chains than an FMA's latency can keep waiting
//
// bf16 has AMX's tiles, or dot products of pairs where they are faster than f32. Else, and of f16,
// the peak is f32's.
#pragma once

#include "kernel/ops/Attention.h"
#include "tools/bench/Team.h"

namespace sparsec {

class PeakFma {
public:
  explicit PeakFma(DType dtype);

  /// "AVX2 and FMA, f32"
  const std::string &instructions() const { return what; }
  /// Runs on every thread of the team, about 20 ms.
  void run(Team &team) const;
  /// Operations (an FMA is two) that run() does on a team of this size.
  double flops(int threads) const;

private:
  enum class Unit { F32, Pairs, Tiles } unit = Unit::F32;
  int lanes = 4;
  std::string what;
};

} // namespace sparsec
