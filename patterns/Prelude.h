// The names every pattern may use, written in the language itself. hash(), min(), max() and abs()
// are operators, see Expr.h.
#pragma once

#include <array>
#include <string_view>

namespace sparsec {

struct PreludeEntry {
  std::string_view name;
  std::array<std::string_view, 2> arguments; ///< empty ones are not there
  std::string_view body;
};

inline constexpr PreludeEntry kPrelude[] = {
    {"causal", {}, "k <= q"},
    {"local", {"w"}, "0 <= q - k < w"},
    {"window", {"a", "b"}, "-b <= q - k <= a"},
    {"every", {"s"}, "(q - k) % s == 0"},
    {"same", {"s"}, "q // s == k // s"},
    {"tail", {"s", "c"}, "k % s >= s - c"},
};

} // namespace sparsec
