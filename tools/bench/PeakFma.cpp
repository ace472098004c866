#include "tools/bench/PeakFma.h"

#include "runtime/cpu/HostCpu.h"
#include "tools/bench/Lanes.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace sparsec {
namespace {

constexpr int kChains = 12; // of an FMA of latency 4 or 5, two can start in a cycle
constexpr int64_t kRounds = 1 << 16;
constexpr int kChunks = 128; ///< for each thread

/// The value as it is, but the compiler cannot know it.
template <class T>
[[gnu::always_inline]] inline void conceal(T &value) {
  asm volatile("" : "+m"(value));
}

template <int W>
[[gnu::always_inline]] inline float chains(int64_t rounds) {
  using F = typename Lanes<W>::F;
  F a[kChains], x = F{} + 0.5f, y = F{} + 0.25f;
  conceal(x);
  conceal(y);
  for (int i = 0; i < kChains; ++i)
    a[i] = F{} + float(i);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i)
      a[i] = a[i] * x + y;
  }
  for (int i = 1; i < kChains; ++i)
    a[0] += a[i];
  return a[0][0];
}
SPARSEC_FOR_WIDTHS(chains)

#ifdef __x86_64__
__attribute__((target("avx512f,avx512bf16"))) float bf16Chains(int64_t rounds) {
  __m512 a[kChains];
  auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3F00)); // 0.5
  conceal(x);
  for (int i = 0; i < kChains; ++i)
    a[i] = _mm512_set1_ps(float(i));
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i)
      a[i] = _mm512_dpbf16_ps(a[i], x, x);
  }
  for (int i = 1; i < kChains; ++i)
    a[0] = _mm512_add_ps(a[0], a[i]);
  return _mm512_cvtss_f32(a[0]);
}

/// As AMX reads it: palette 1, then bytes of a row and rows of each register.
struct TileConfiguration {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {};
  uint8_t rows[16] = {};
};

/// Six sums: a product takes 16 cycles, and the next one on the same sum waits for 52.
__attribute__((target("amx-tile,amx-bf16"))) void tileChains(int64_t rounds) {
  TileConfiguration configuration;
  std::fill_n(configuration.rowBytes, 8, 64);
  std::fill_n(configuration.rows, 8, 16);
  _tile_loadconfig(&configuration);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int64_t round = 0; round < rounds; ++round) {
    _tile_dpbf16ps(0, 6, 7);
    _tile_dpbf16ps(1, 6, 7);
    _tile_dpbf16ps(2, 6, 7);
    _tile_dpbf16ps(3, 6, 7);
    _tile_dpbf16ps(4, 6, 7);
    _tile_dpbf16ps(5, 6, 7);
  }
  _tile_release();
}
#else
float bf16Chains(int64_t) {
  return 0;
}
void tileChains(int64_t) {}
#endif
constexpr int kTileSums = 6;
constexpr int64_t kTileRounds = 1 << 12;
constexpr double kTileFlops = 2 * 16 * 16 * 32;

/// Intel's cores take longer for two products of bf16 than for two of f32; AMD's half as long.
bool pairsAreFaster(int lanes) {
  auto fastest = [](auto &&work) {
    std::chrono::duration<double> least = std::chrono::hours(1);
    for (int i = 0; i < 3; ++i) {
      auto begin = std::chrono::steady_clock::now();
      float sum = work();
      conceal(sum);
      least =
          std::min<std::chrono::duration<double>>(least, std::chrono::steady_clock::now() - begin);
    }
    return least;
  };
  return fastest([] { return bf16Chains(kRounds); }) <
         2 * fastest([lanes] { return chainsAtWidth(lanes, kRounds); });
}

} // namespace

PeakFma::PeakFma(DType dtype) : lanes(lanesOfThisCpu()) {
  if (dtype == DType::BF16 && hostRunsLevel("amx"))
    unit = Unit::Tiles, what = "AMX, bf16";
  else if (dtype == DType::BF16 && hasBf16Dot() && pairsAreFaster(lanes))
    unit = Unit::Pairs, what = "AVX512_BF16";
  else
    what = fmt::format("{}, f32", nameOfLanes(lanes));
}

void PeakFma::run(Team &team) const {
  // Whoever is free takes the next, as the kernels' rows are taken: threads that share a core, or
  // that start late, do less, and nobody waits for the slowest.
  team.each(int64_t{kChunks} * team.size(), [this](int64_t, int) {
    if (unit == Unit::Tiles) {
      tileChains(kTileRounds);
      return;
    }
    float sum = unit == Unit::Pairs ? bf16Chains(kRounds) : chainsAtWidth(lanes, kRounds);
    conceal(sum);
  });
}

double PeakFma::flops(int threads) const {
  double chunks = double(threads) * kChunks;
  if (unit == Unit::Tiles)
    return chunks * kTileFlops * kTileSums * double(kTileRounds);
  return chunks * 2 * (unit == Unit::Pairs ? 2 * lanes : lanes) * kChains * double(kRounds);
}

} // namespace sparsec
