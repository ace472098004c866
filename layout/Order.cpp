#include "layout/Order.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsec {

namespace {

using Axis = Lattice::Axis;

int64_t ceilDivide(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// Chains of every `period`-th token: those that fit a tile whole share it.
Lattice residueLattice(int64_t period, int64_t n, int64_t tile) {
  int64_t chains = std::min(period, n), length = ceilDivide(n, period);
  int64_t together = std::max<int64_t>(1, tile / length);
  Lattice lattice;
  lattice.axes[1] = {period, length, length, std::min(length, tile)};
  lattice.axes[2] = {1, chains, together, together};
  return lattice;
}

/// Runs of `width` tokens at `base`, base + period, ...
Lattice runsLattice(int64_t base, int64_t period, int64_t width, int64_t n, int64_t tile) {
  int64_t runs = n > base ? ceilDivide(n - base, period) : 0;
  int64_t together = std::max<int64_t>(1, tile / width);
  Lattice lattice;
  lattice.base = base;
  lattice.axes[1] = {period, runs, together, together};
  lattice.axes[2] = {1, width, width, std::min(width, tile)};
  return lattice;
}

/// A tile takes of a box whole rows when they fit, and whole planes when they do.
Lattice gridLattice(const GridOrder &grid, int64_t n, int64_t tile) {
  Lattice lattice;
  int64_t pitch = 1, room = tile;
  size_t count = grid.sizes.size();
  for (size_t i = count; i-- > 0;) {
    int64_t extent = i == 0 ? ceilDivide(n, pitch) : grid.sizes[i];
    int64_t cut = std::min(grid.tile[i], room);
    lattice.axes[3 - count + i] = {pitch, extent, grid.tile[i], cut};
    room = cut < grid.tile[i] ? 1 : room / cut;
    pitch *= grid.sizes[i];
  }
  return lattice;
}

/// Of the positions base + digits, how many are below n: they come first.
int64_t existing(const TileRows &rows, int64_t n) {
  const auto &digits = rows.digits;
  int64_t left = n - rows.base, found = 0;
  std::array<int64_t, 4> tokens = {}, span = {}; // of the digits from i on
  tokens[3] = 1;
  for (int i = 2; i >= 0; --i) {
    tokens[i] = digits[i].count * tokens[i + 1];
    span[i] = (digits[i].count - 1) * digits[i].pitch + span[i + 1];
  }
  for (int i = 0; i < 3 && left > 0; ++i) {
    if (span[i] < left)
      return found + tokens[i];
    // Whole steps of this digit, then part of the next one.
    int64_t whole = left > span[i + 1] ? (left - 1 - span[i + 1]) / digits[i].pitch + 1 : 0;
    whole = std::min(whole, digits[i].count);
    found += whole * tokens[i + 1];
    if (whole == digits[i].count)
      return found;
    left -= whole * digits[i].pitch;
  }
  return found;
}

/// Coordinates [first, first + count) on each axis of a lattice.
struct Box {
  std::array<int64_t, 3> first = {}, count = {1, 1, 1};
};

/// The positions of a box that are below n, as few progressions.
void addProgressions(const Lattice &lattice, const Box &box, int64_t n, std::vector<Range> &out) {
  std::array<TileRows::Digit, 3> digits;
  int64_t base = lattice.base;
  for (int i = 0; i < 3; ++i) {
    if (box.count[i] <= 0)
      return;
    base += box.first[i] * lattice.axes[i].pitch;
    digits[i] = {box.count[i], lattice.axes[i].pitch};
  }
  // A digit that goes on where the one inside it ends joins it.
  for (int i = 1; i >= 0; --i) {
    TileRows::Digit &outer = digits[i], &inner = digits[i + 1];
    if (inner.count == 1)
      inner = outer;
    else if (outer.count == 1 || outer.pitch == inner.pitch * inner.count)
      inner.count *= outer.count;
    else
      continue;
    outer = {1, 0};
  }
  std::stable_sort(digits.begin(), digits.end(),
                   [](const auto &a, const auto &b) { return a.count < b.count; });
  auto [second, third, longest] = digits;
  for (int64_t i = 0; i < second.count; ++i)
    for (int64_t j = 0; j < third.count; ++j) {
      int64_t first = base + i * second.pitch + j * third.pitch;
      if (first >= n)
        continue;
      int64_t count = longest.count;
      if (count > 1)
        count = std::min(count, (n - 1 - first) / longest.pitch + 1);
      out.push_back({.first = first, .step = count > 1 ? longest.pitch : 1, .count = count});
    }
}

/// Tiles [first, last) of a lattice as boxes of coordinates: numbers that agree in their leading
/// digits and run freely over the digits after the next.
class BoxesOfTiles {
public:
  BoxesOfTiles(const Lattice &lattice, int64_t n, std::vector<Range> &out)
      : lattice(lattice), n(n), out(out) {
    for (int i = 0; i < 3; ++i) {
      radix[i] = lattice.axes[i].boxes();
      radix[3 + i] = lattice.axes[i].parts();
    }
    below[6] = 1;
    for (int i = 5; i >= 0; --i)
      below[i] = below[i + 1] * radix[i];
  }

  /// Tiles whose digits before `digit` are `fixed`, and whose rest is in [first, last).
  void add(int digit, std::array<int64_t, 6> fixed, int64_t first, int64_t last) {
    if (first == last)
      return;
    if (first == 0 && last == below[digit])
      return addBox(digit, fixed, 0, 0);
    int64_t size = below[digit + 1];
    int64_t low = first / size, high = last / size;
    if (low == high) {
      fixed[digit] = low;
      return add(digit + 1, fixed, first % size, last % size);
    }
    if (first % size) {
      fixed[digit] = low;
      add(digit + 1, fixed, first % size, size);
      ++low;
    }
    if (low < high)
      addBox(digit, fixed, low, high);
    fixed[digit] = high;
    add(digit + 1, fixed, 0, last % size);
  }

private:
  /// Digits before `digit` fixed, it in [low, high) (both 0: free), the rest free.
  void addBox(int digit, const std::array<int64_t, 6> &fixed, int64_t low, int64_t high) {
    Box box;
    for (int i = 0; i < 3; ++i) {
      const Axis &axis = lattice.axes[i];
      auto interval = [&](int d, int64_t all) -> std::pair<int64_t, int64_t> {
        if (d < digit)
          return {fixed[d], fixed[d] + 1};
        if (d == digit && high > 0)
          return {low, high};
        return {0, all};
      };
      auto [firstBox, lastBox] = interval(i, radix[i]);
      auto [firstPart, lastPart] = interval(3 + i, radix[3 + i]);
      // Several boxes come with all their parts, so that the coordinates are one stretch.
      int64_t begin = firstBox * axis.box + firstPart * axis.cut;
      int64_t end = (lastBox - 1) * axis.box + std::min(lastPart * axis.cut, axis.box);
      box.first[i] = begin;
      box.count[i] = std::min(end, axis.extent) - begin;
    }
    addProgressions(lattice, box, n, out);
  }

  const Lattice &lattice;
  int64_t n;
  std::vector<Range> &out;
  std::array<int64_t, 6> radix = {};
  std::array<int64_t, 7> below = {}; ///< numbers of the digits from i on
};

} // namespace

int64_t TileRows::position(int64_t row) const {
  int64_t inner = digits[1].count * digits[2].count;
  return base + row / inner * digits[0].pitch +
         row / digits[2].count % digits[1].count * digits[1].pitch +
         row % digits[2].count * digits[2].pitch;
}

int64_t Lattice::tileCount() const {
  int64_t count = 1;
  for (const Axis &axis : axes)
    count *= axis.boxes() * axis.parts();
  return count;
}

TileRows Lattice::rows(int64_t tile, int64_t n) const {
  TileRows rows;
  std::array<int64_t, 3> at = {};
  for (int i = 2; i >= 0; --i) {
    at[i] = tile % axes[i].parts() * axes[i].cut;
    tile /= axes[i].parts();
  }
  rows.base = base;
  bool none = false;
  for (int i = 2; i >= 0; --i) {
    const Axis &axis = axes[i];
    int64_t x = tile % axis.boxes() * axis.box + at[i];
    tile /= axis.boxes();
    int64_t count = std::min({axis.cut, axis.box - at[i], axis.extent - x});
    none |= count <= 0;
    rows.base += x * axis.pitch;
    rows.digits[i] = {count, axis.pitch};
  }
  if (none)
    return {};
  rows.count = existing(rows, n);
  return rows;
}

Order Order::natural(int64_t n, int tile) {
  return *make(NaturalOrder{}, n, tile);
}

Result<Order> Order::make(const OrderSpec &spec, int64_t n, int tile) {
  assert(n >= 0 && tile >= 1);
  if (Result<void> checked = check(spec); !checked)
    return checked.error();
  Order order;
  order.asked = spec;
  order.n = n;
  order.tileSize = tile;
  if (const auto *table = std::get_if<TableOrder>(&spec)) {
    if (static_cast<int64_t>(table->positions->size()) != n)
      return inputError(fmt::format("expected an order of {} tokens, found {} in table '{}'", n,
                                    table->positions->size(), table->name));
    order.tiles = ceilDivide(n, tile);
    return order;
  }
  if (n == 0)
    return order;
  if (const auto *residue = std::get_if<ResidueOrder>(&spec)) {
    order.addLattice(residueLattice(residue->period, n, tile));
  } else if (const auto *tails = std::get_if<TailsOrder>(&spec)) {
    auto [period, width] = *tails;
    order.addLattice(runsLattice(period - width, period, width, n, tile));
    if (width < period)
      order.addLattice(runsLattice(0, period, period - width, n, tile));
  } else if (const auto *grid = std::get_if<GridOrder>(&spec)) {
    order.addLattice(gridLattice(*grid, n, tile));
  } else {
    order.addLattice(residueLattice(1, n, tile));
  }
  return order;
}

void Order::addLattice(Lattice lattice) {
  lattice.firstTile = tiles;
  if (lattice.tileCount() == 0)
    return;
  tiles += lattice.tileCount();
  pieces.push_back(lattice);
}

const std::vector<int32_t> *Order::table() const {
  const auto *order = std::get_if<TableOrder>(&asked);
  return order ? order->positions.get() : nullptr;
}

const Lattice &Order::latticeOf(int64_t tile) const {
  assert(0 <= tile && tile < tiles);
  return pieces.size() > 1 && tile >= pieces[1].firstTile ? pieces[1] : pieces[0];
}

std::optional<TileRows> Order::tileRows(int64_t tile) const {
  if (table())
    return std::nullopt;
  const Lattice &lattice = latticeOf(tile);
  return lattice.rows(tile - lattice.firstTile, n);
}

int64_t Order::tokens(int64_t tile) const {
  if (std::optional<TileRows> rows = tileRows(tile))
    return rows->count;
  return std::min<int64_t>(tileSize, n - tile * tileSize);
}

std::vector<int64_t> Order::positions(int64_t tile) const {
  std::vector<int64_t> result(tokens(tile));
  std::optional<TileRows> rows = tileRows(tile);
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = rows ? rows->position(static_cast<int64_t>(i)) : (*table())[tile * tileSize + i];
  return result;
}

std::vector<Range> Order::rows(int64_t first, int64_t last) const {
  assert(0 <= first && first < last && last <= tiles);
  if (first == 0 && last == tiles)
    return {{.first = 0, .step = 1, .count = n}};
  std::vector<Range> result;
  if (table()) {
    std::vector<int64_t> sorted(table()->begin() + first * tileSize,
                                table()->begin() + std::min(last * tileSize, n));
    std::sort(sorted.begin(), sorted.end());
    for (int64_t position : sorted) {
      if (result.empty() ||
          (result.back().count > 1 && position != result.back().last() + result.back().step)) {
        result.push_back({.first = position, .step = 1, .count = 1});
        continue;
      }
      Range &open = result.back();
      if (open.count == 1)
        open.step = position - open.first;
      ++open.count;
    }
    return result;
  }
  for (const Lattice &lattice : pieces) {
    int64_t begin = std::clamp<int64_t>(first - lattice.firstTile, 0, lattice.tileCount());
    int64_t end = std::clamp<int64_t>(last - lattice.firstTile, 0, lattice.tileCount());
    BoxesOfTiles(lattice, n, result).add(0, {}, begin, end);
  }
  return result;
}

std::vector<int64_t> Order::shortTiles() const {
  std::vector<int64_t> result;
  // Of natural order only the last one can be.
  bool natural = pieces.size() == 1 && std::holds_alternative<NaturalOrder>(asked);
  for (int64_t tile = natural ? tiles - 1 : 0; tile < tiles; ++tile)
    if (tokens(tile) < tileSize)
      result.push_back(tile);
  return result;
}

std::optional<Order::Step> Order::step() const {
  if (pieces.size() != 1)
    return std::nullopt;
  // One on in the outermost digit that takes more than one value: nothing carries into it.
  const auto &axes = pieces[0].axes;
  int64_t inner = pieces[0].tileCount();
  for (const Axis &axis : axes)
    if (axis.boxes() > 1)
      return Step{inner / axis.boxes(), axis.box * axis.pitch};
    else
      inner /= axis.boxes();
  for (const Axis &axis : axes)
    if (axis.parts() > 1)
      return Step{inner / axis.parts(), axis.cut * axis.pitch};
    else
      inner /= axis.parts();
  return std::nullopt;
}

std::vector<int64_t> Order::unlike(int64_t step) const {
  std::vector<int64_t> result;
  // Of natural order only the last one can be.
  bool natural = std::holds_alternative<NaturalOrder>(asked);
  for (int64_t tile = std::max(step, natural ? tiles - 1 : 0); tile < tiles; ++tile) {
    TileRows here = *tileRows(tile), before = *tileRows(tile - step);
    before.base = here.base;
    if (here != before)
      result.push_back(tile);
  }
  return result;
}

} // namespace sparsec
