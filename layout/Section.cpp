#include "layout/Section.h"

#include "layout/Specialise.h"

#include <algorithm>
#include <numeric>

namespace sparsec {

int64_t Section::tiles() const {
  int64_t all = 1;
  for (const Digit &digit : digits)
    all *= digit.count;
  return all;
}

std::vector<Range> Section::positions() const {
  std::vector<Range> all = tile;
  for (Range &range : all)
    range.first += base;
  return all;
}

Range Section::around() const {
  int64_t least = tile[0].first, most = tile[0].last(), step = 0;
  for (const Range &range : tile) {
    step = std::gcd(step, range.first - tile[0].first);
    if (range.count > 1)
      step = std::gcd(step, range.step);
    least = std::min(least, range.first);
    most = std::max(most, range.last());
  }
  for (const Digit &digit : digits) {
    step = std::gcd(step, digit.step);
    most += (digit.count - 1) * digit.step;
  }
  if (most == least)
    return {.first = base + least, .step = 1, .count = 1};
  return {.first = base + least, .step = step, .count = (most - least) / step + 1};
}

size_t Section::widest() const {
  auto wide = [](const Digit &digit) { return digit.count * digit.step; };
  return std::max_element(digits.begin(), digits.end(),
                          [&](const Digit &a, const Digit &b) { return wide(a) < wide(b); }) -
         digits.begin();
}

Section Section::slice(size_t digit, int64_t first, int64_t count) const {
  Section part = *this;
  part.base += first * digits[digit].step;
  if (count > 1)
    part.digits[digit].count = count;
  else
    part.digits.erase(part.digits.begin() + static_cast<long>(digit));
  return part;
}

Section Section::moved(int64_t by) const {
  Section other = *this;
  other.base += by;
  return other;
}

namespace {

/// Boxes and parts of an axis that have the same number of rows.
struct Stretch {
  int64_t first = 0; ///< coordinate
  Section::Digit boxes, parts;
  int64_t rows = 0;
};

std::vector<Stretch> stretchesOf(const Lattice::Axis &axis) {
  std::vector<Stretch> all;
  auto addBoxes = [&](int64_t first, int64_t boxes, int64_t size) {
    if (boxes == 0 || size == 0)
      return;
    Section::Digit ofBoxes = {boxes, axis.box * axis.pitch};
    int64_t whole = size / axis.cut, rest = size % axis.cut;
    if (whole > 0)
      all.push_back({first, ofBoxes, {whole, axis.cut * axis.pitch}, axis.cut});
    if (rest > 0)
      all.push_back({first + whole * axis.cut, ofBoxes, {1, 0}, rest});
  };
  int64_t whole = axis.extent / axis.box;
  addBoxes(0, whole, axis.box);
  addBoxes(whole * axis.box, 1, axis.extent % axis.box);
  return all;
}

class SectionFinder {
public:
  SectionFinder(int64_t n, std::vector<Section> &out) : n(n), out(out) {}

  void addLattice(const Lattice &lattice) {
    std::array<std::vector<Stretch>, 3> stretches;
    for (int i = 0; i < 3; ++i)
      stretches[i] = stretchesOf(lattice.axes[i]);
    for (const Stretch &a : stretches[0])
      for (const Stretch &b : stretches[1])
        for (const Stretch &c : stretches[2])
          addStretches(lattice, {&a, &b, &c});
  }

private:
  void addStretches(const Lattice &lattice, const std::array<const Stretch *, 3> &stretches) {
    Section section{.base = lattice.base, .digits = {}, .tile = {}, .tokens = 1};
    std::array<Section::Digit, 3> rows;
    for (int i = 0; i < 3; ++i) {
      const Stretch &stretch = *stretches[i];
      section.base += stretch.first * lattice.axes[i].pitch;
      section.tokens *= stretch.rows;
      for (const Section::Digit &digit : {stretch.boxes, stretch.parts})
        if (digit.count > 1)
          section.digits.push_back(digit);
      rows[i] = {stretch.rows, lattice.axes[i].pitch};
    }
    // The longest digit is the progressions, the others' values number them.
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto &a, const auto &b) { return a.count < b.count; });
    for (int64_t i = 0; i < rows[0].count; ++i)
      for (int64_t j = 0; j < rows[1].count; ++j)
        section.tile.push_back({.first = i * rows[0].step + j * rows[1].step,
                                .step = rows[2].count > 1 ? rows[2].step : 1,
                                .count = rows[2].count});
    join(section.tile);
    addExisting(section);
  }

  /// Progressions that go on where the one before ends are one.
  static void join(std::vector<Range> &tile) {
    std::sort(tile.begin(), tile.end(),
              [](const Range &a, const Range &b) { return a.first < b.first; });
    std::vector<Range> joined;
    for (const Range &range : tile) {
      Range *before = joined.empty() ? nullptr : &joined.back();
      if (before && before->step == range.step && before->last() + range.step == range.first)
        before->count += range.count;
      else
        joined.push_back(range);
    }
    tile = std::move(joined);
  }

  /// What of a section is below n.
  void addExisting(const Section &section) {
    Range all = section.around();
    if (all.first >= n)
      return;
    if (all.last() < n) {
      out.push_back(section);
      return;
    }
    // The furthest tile has the fewest rows: where it has those of the first, all have.
    Section ragged = cut(section, 0);
    int64_t furthest = 0;
    for (const Section::Digit &digit : section.digits)
      furthest += (digit.count - 1) * digit.step;
    if (ragged.tokens == cut(section, furthest).tokens) {
      out.push_back(ragged);
      return;
    }
    size_t digit = section.widest();
    auto [count, step] = section.digits[digit];
    int64_t beyond = (all.last() - n) / step + 1; // of its values some may be
    int64_t first = beyond < count ? count - beyond : count / 2;
    addExisting(section.slice(digit, 0, first));
    addExisting(section.slice(digit, first, count - first));
  }

  /// With the rows that a tile so much further than the first has below n.
  Section cut(const Section &section, int64_t further) const {
    Section ragged = section;
    ragged.tokens = 0;
    ragged.tile.clear();
    for (Range range : section.tile) {
      int64_t left = n - section.base - further - range.first;
      if (left <= 0)
        continue;
      range.count = std::min(range.count, (left - 1) / range.step + 1);
      ragged.tokens += range.count;
      ragged.tile.push_back(range);
    }
    return ragged;
  }

  int64_t n;
  std::vector<Section> &out;
};

} // namespace

std::optional<std::vector<Section>> sectionsOf(const Order &order) {
  if (std::holds_alternative<TableOrder>(order.spec()))
    return std::nullopt;
  std::vector<Section> all;
  for (const Lattice &lattice : order.lattices())
    SectionFinder(order.size(), all).addLattice(lattice);
  return all;
}

std::optional<Section> sectionOf(const Order &order, int64_t tile) {
  Section section{.base = 0, .digits = {}, .tile = {}, .tokens = order.tokens(tile)};
  if (section.tokens == 0)
    return std::nullopt;
  section.tile = order.rows(tile);
  return section;
}

} // namespace sparsec
