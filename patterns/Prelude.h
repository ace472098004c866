// The names every pattern may use, written in the language itself. hash(), min(), max() and abs()
// are operators, see Expr.h.
#pragma once

#include <array>
#include <string_view>

namespace sparsec {

struct PreludeEntry {
  std::string_view name;
  std::array<std::string_view, 6> arguments; ///< empty ones are not there
  std::string_view body;
  size_t optional = 0;   ///< so many of the last arguments may be left out, and are 1 then
  bool yielding = false; ///< a file's own definition wins, with a warning
};

inline constexpr PreludeEntry kPrelude[] = {
    {"causal", {}, "k <= q"},
    {"local", {"w"}, "0 <= q - k < w"},
    {"window", {"a", "b"}, "-b <= q - k <= a"},
    {"every", {"s"}, "(q - k) % s == 0"},
    {"same", {"s"}, "q // s == k // s"},
    {"tail", {"s", "c"}, "k % s >= s - c"},
    {"clamp", {"x", "low", "high"}, "min(max(x, low), high)", 0, true},
    {"power_of_two", {"d"}, "log2(d) != log2(d - 1)", 0, true},
    // Positions t, u of one axis: u is among the `size` places around t, all inside the axis. Every
    // `dilation`-th place is an axis of its own (of ceil((length - t % dilation) / dilation)
    // places), and `stride` neighbours there share the window of the middle one.
    {"moved",
     {"t", "u", "size", "length", "stride", "dilation"},
     "t % dilation == u % dilation and 0 <= u // dilation - max(0, min(min(t // dilation // stride "
     "* stride + stride // 2, (length - t % dilation + dilation - 1) // dilation - 1) - size // 2, "
     "(length - t % dilation + dilation - 1) // dilation - size)) < size and u < length",
     2,
     true},
};

} // namespace sparsec
