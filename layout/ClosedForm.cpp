// ClosedForm::find: progressions of rows in the middle give the steps of each run; the first and
// last rows say where runs are clamped; then every row is checked.
#include "layout/ClosedForm.h"

#include "layout/Divisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace sparsec {

namespace {

using Run = ClosedForm::Run;
using Phase = ClosedForm::Phase;
using Runs = std::vector<BlockRun>;

constexpr int kPartial = RowBlocks::kPartial, kRuns = RowBlocks::kRuns;
/// Numbers of phases that are tried: a period of a few rows, or of the blocks that a power of two
/// of tokens has.
constexpr int64_t kPeriods[] = {1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64};
constexpr int64_t kMostPhases = 64;
constexpr int64_t kMostLead = 4, kMostTail = 2;
constexpr int64_t kEndRows = 64; ///< from which clamps are chosen

/// Where a row stands: its phase, and the two numbers that bounds move with.
struct Place {
  int64_t phase, t, m;
};
Place placeOf(int64_t row, int64_t period, int64_t boxTiles) {
  int64_t u = row / period;
  return {row % period, u / boxTiles, u % boxTiles};
}

Progression evaluate(const Run &run, int64_t t, int64_t m) {
  auto bound = [&](const std::array<int32_t, 3> &by) {
    return std::clamp<int64_t>(by[0] + by[1] * t + by[2] * m, run.low, run.high);
  };
  int64_t begin = bound(run.begin), end = bound(run.end);
  return {.first = static_cast<int32_t>(run.origin + begin * run.step),
          .step = run.step,
          .count = static_cast<int32_t>(std::max<int64_t>(end - begin, 0))};
}

RowBlocks evaluate(const Phase &phase, int64_t t, int64_t m) {
  RowBlocks blocks;
  for (int i = 0; i < kRuns; ++i)
    blocks.runs[i] = evaluate(phase[i], t, m);
  return blocks;
}

/// Block columns of one kind in a row as progressions. Single columns join from three on: two of
/// them are as well two runs that move on their own.
std::vector<Progression> progressions(std::span<const BlockRun> row, BlockKind kind) {
  std::vector<Progression> found;
  std::vector<int32_t> singles; // not yet in `found`
  auto flush = [&] {
    for (size_t i = 0; i < singles.size();) {
      size_t end = i + 1;
      while (end < singles.size() && singles[end] - singles[end - 1] == singles[i + 1] - singles[i])
        ++end;
      if (end - i < 3) {
        found.push_back({singles[i], 1, 1});
        ++i;
        continue;
      }
      found.push_back({singles[i], singles[i + 1] - singles[i], static_cast<int32_t>(end - i)});
      i = end;
    }
    singles.clear();
  };
  for (const BlockRun &run : row) {
    if (run.kind != kind)
      continue;
    if (run.end - run.begin == 1) {
      singles.push_back(run.begin);
      continue;
    }
    flush();
    found.push_back({run.begin, 1, run.end - run.begin});
  }
  flush();
  return found;
}

/// A row's progressions in their places; nothing when there are too many.
std::optional<RowBlocks> blocksOf(std::span<const BlockRun> row) {
  RowBlocks blocks;
  std::vector<Progression> partial = progressions(row, BlockKind::Partial);
  std::vector<Progression> full = progressions(row, BlockKind::Full);
  if (partial.size() > RowBlocks::kPartial || full.size() > RowBlocks::kFull)
    return std::nullopt;
  std::copy(partial.begin(), partial.end(), blocks.runs.begin());
  std::copy(full.begin(), full.end(), blocks.runs.begin() + kPartial);
  return blocks;
}

/// Whether the progressions are exactly the row's blocks, each once. `runs` is room to work in.
bool equals(const RowBlocks &blocks, std::span<const BlockRun> row, Runs &runs) {
  runs.clear();
  for (int i = 0; i < kRuns; ++i) {
    const auto &[first, step, count] = blocks.runs[i];
    BlockKind kind = i < kPartial ? BlockKind::Partial : BlockKind::Full;
    if (step == 1 && count > 0)
      runs.push_back({first, first + count, kind});
    else
      for (int32_t j = 0; j < count; ++j)
        runs.push_back({first + j * step, first + j * step + 1, kind});
  }
  std::sort(runs.begin(), runs.end(),
            [](const BlockRun &a, const BlockRun &b) { return a.begin < b.begin; });
  size_t at = 0;
  int32_t covered = 0; // of row[at]
  for (const BlockRun &run : runs) {
    if (at == row.size() || run.kind != row[at].kind || run.begin != row[at].begin + covered ||
        run.end > row[at].end)
      return false;
    covered += run.end - run.begin;
    if (run.end == row[at].end) {
      ++at;
      covered = 0;
    }
  }
  return at == row.size();
}

/// A progression as an interval of multiples of its step.
struct Multiples {
  int32_t origin, step, begin, end;
};
Multiples multiples(const Progression &p) {
  int32_t origin = p.first % p.step;
  int32_t begin = (p.first - origin) / p.step;
  return {origin, p.step, begin, begin + p.count};
}

/// The runs of a row as they are.
Phase constantPhase(const RowBlocks &blocks) {
  Phase phase;
  for (int i = 0; i < kRuns; ++i) {
    Multiples m = multiples(blocks.runs[i]);
    phase[i] = {{m.begin, 0, 0}, {m.end, 0, 0}, m.begin, m.end, m.origin, m.step};
  }
  return phase;
}

} // namespace

/// One search.
class FormFinder {
public:
  FormFinder(const BlockLayout &layout, const ClosedForm::Rows &rows, int64_t boxTiles, Work *work)
      : layout(layout), rowsOfForm(rows), boxTiles(boxTiles), work(work) {}

  std::optional<ClosedForm> find() {
    for (int64_t period : kPeriods)
      for (int64_t tiles : {int64_t{1}, boxTiles}) {
        if (tiles == 1 || period == 1)
          if (std::optional<ClosedForm> form = withPeriod(period, tiles))
            return form;
        if (boxTiles == 1)
          break;
      }
    if (1 < boxTiles && boxTiles <= kMostPhases) // each row of a box in a way of its own
      return withPeriod(boxTiles, 1);
    return std::nullopt;
  }

private:
  const BlockLayout &layout;
  ClosedForm::Rows rowsOfForm;
  int64_t boxTiles;
  Work *work;
  Runs scratch;

  int64_t rowCount() const { return rowsOfForm.count; }
  std::span<const BlockRun> blockRuns(int64_t row) const {
    return layout.row(rowsOfForm.first + row);
  }

  bool matches(const ClosedForm &form, int64_t row) {
    Place at = placeOf(row, form.period, form.boxTiles);
    Work::add(work, &Work::runs, static_cast<int64_t>(blockRuns(row).size()) + 1);
    return equals(evaluate(form.phases[at.phase], at.t, at.m), blockRuns(row), scratch);
  }

  std::optional<ClosedForm> withPeriod(int64_t period, int64_t tiles) {
    int64_t rows = rowCount();
    if (rows < 3 * period * tiles && rows > kMostLead)
      return std::nullopt;
    ClosedForm form;
    form.rowCount = rows;
    form.period = static_cast<int32_t>(period);
    form.boxTiles = static_cast<int32_t>(tiles);
    form.phases.resize(period);
    if (rows > kMostLead)
      for (int64_t phase = 0; phase < period; ++phase)
        if (!fit(form, phase))
          return std::nullopt;
    return withEnds(std::move(form));
  }

  /// The steps of a phase's runs, from a row in the middle and its neighbours in t and m.
  bool fit(ClosedForm &form, int64_t phase) const {
    int64_t period = form.period, tiles = form.boxTiles, rows = rowCount();
    int64_t boxes = rows / (period * tiles);
    for (int64_t t : {boxes / 2, 2 * boxes / 3, boxes / 3, boxes - 2})
      for (int64_t m : {tiles / 2, tiles - 2}) {
        if (t < 0 || m < 0)
          continue;
        auto at = [&](int64_t dt, int64_t dm) -> std::optional<RowBlocks> {
          int64_t row = ((t + dt) * tiles + m + dm) * period + phase;
          return row < rows ? blocksOf(blockRuns(row)) : std::nullopt;
        };
        std::optional<RowBlocks> here = at(0, 0), next = at(1, 0);
        std::optional<RowBlocks> across = tiles > 1 ? at(0, 1) : here;
        if (here && next && across && fitRuns(form, phase, t, m, *here, *next, *across))
          return true;
      }
    return false;
  }

  bool fitRuns(ClosedForm &form, int64_t phase, int64_t t, int64_t m, const RowBlocks &here,
               const RowBlocks &next, const RowBlocks &across) const {
    for (int i = 0; i < kRuns; ++i) {
      Run &run = form.phases[phase][i];
      run = {};
      const Progression *all[] = {&here.runs[i], &next.runs[i], &across.runs[i]};
      int present = 0, steps = 0;
      for (const Progression *p : all) {
        present += p->count > 0;
        steps += p->step == here.runs[i].step;
      }
      if (present == 0)
        continue;
      if (present < 3 || steps < 3)
        return false;
      Multiples a = multiples(*all[0]), b = multiples(*all[1]), c = multiples(*all[2]);
      if (b.origin != a.origin || c.origin != a.origin)
        return false;
      // Kernels reckon in 32 bits before they clamp, at any row.
      int64_t lastT = rowCount() / (form.period * form.boxTiles), lastM = form.boxTiles - 1;
      bool narrow = true;
      auto affine = [&](int32_t from, int32_t byT, int32_t byM) {
        int64_t constant = from - int64_t{byT} * t - int64_t{byM} * m;
        for (int64_t atT : {int64_t{0}, byT * lastT})
          for (int64_t atM : {int64_t{0}, byM * lastM})
            narrow &= std::in_range<int32_t>(constant + atT + atM);
        return std::array<int32_t, 3>{static_cast<int32_t>(constant), byT, byM};
      };
      run.begin = affine(a.begin, b.begin - a.begin, c.begin - a.begin);
      run.end = affine(a.end, b.end - a.end, c.end - a.end);
      if (!narrow)
        return false;
      run.origin = a.origin;
      run.step = a.step;
      run.low = 0;
      run.high = static_cast<int32_t>((layout.columns() - a.origin + a.step - 1) / a.step);
    }
    return true;
  }

  /// Clamps, and rows apart at either end; every row is checked.
  std::optional<ClosedForm> withEnds(ClosedForm form) {
    int64_t rows = rowCount();
    if (rows > kMostLead) {
      chooseClamps(form, 0, std::min(kEndRows, rows), &Run::low);
      chooseClamps(form, std::max<int64_t>(rows - kEndRows, 0), rows, &Run::high);
    }
    int64_t lead = 0, tail = 0;
    for (int64_t row = 0; row < rows; ++row) {
      if (rows > kMostLead && matches(form, row))
        continue;
      if (row < kMostLead)
        lead = row + 1;
      else if (row >= rows - kMostTail)
        tail = std::max(tail, rows - row);
      else
        return std::nullopt;
    }
    std::vector<Phase> phases;
    auto addRow = [&](int64_t row) {
      std::optional<RowBlocks> blocks = blocksOf(blockRuns(row));
      if (blocks)
        phases.push_back(constantPhase(*blocks));
      return blocks.has_value();
    };
    for (int64_t row = 0; row < lead; ++row)
      if (!addRow(row))
        return std::nullopt;
    phases.insert(phases.end(), form.phases.begin(), form.phases.end());
    for (int64_t row = rows - tail; row < rows; ++row)
      if (!addRow(row))
        return std::nullopt;
    form.phases = std::move(phases);
    form.lead = static_cast<int32_t>(lead);
    form.tail = static_cast<int32_t>(tail);
    return form;
  }

  /// The bound of each run to where it stands in these rows, to where a run that does not move
  /// ends, or as far as columns go: of all combinations, the one under which the fewest of the rows
  /// differ.
  void chooseClamps(ClosedForm &form, int64_t first, int64_t last, int32_t Run::*bound) {
    for (int64_t phase = 0; phase < form.period; ++phase) {
      Phase &runs = form.phases[phase];
      std::array<std::vector<int32_t>, kRuns> choices;
      size_t combinations = 1;
      for (int i = 0; i < kRuns; ++i) {
        choices[i] = clampsOf(runs, i, form, phase, bound);
        combinations *= choices[i].size();
      }
      int64_t fewest = INT64_MAX;
      Phase best = runs;
      for (size_t choice = 0; choice < combinations && fewest > 0; ++choice) {
        size_t rest = choice;
        for (int i = 0; i < kRuns; rest /= choices[i++].size())
          runs[i].*bound = choices[i][rest % choices[i].size()];
        int64_t wrong = 0;
        for (int64_t row = first; row < last && wrong < fewest; ++row)
          wrong += row % form.period == phase && !matches(form, row);
        if (wrong < fewest) {
          fewest = wrong;
          best = runs;
        }
      }
      runs = best;
    }
  }

  std::vector<int32_t> clampsOf(const Phase &runs, int slot, const ClosedForm &form, int64_t phase,
                                int32_t Run::*bound) const {
    const Run &run = runs[slot];
    std::vector<int32_t> choices = {run.*bound};
    auto add = [&](int32_t value) {
      if (run.low < run.high && std::find(choices.begin(), choices.end(), value) == choices.end())
        choices.push_back(value);
    };
    add(extreme(run, slot, form, phase, bound));
    for (int i = 0; i < kRuns; ++i) {
      const Run &other = runs[i];
      bool moves = other.begin[1] || other.begin[2] || other.end[1] || other.end[2];
      if (i != slot && !moves && other.step == 1 && run.step == 1)
        add(bound == &Run::low ? other.end[0] : other.begin[0]);
    }
    return choices;
  }

  /// The least begin, or the greatest end, of a run over the rows of its phase where it stands as
  /// its steps say.
  int32_t extreme(const Run &run, int slot, const ClosedForm &form, int64_t phase,
                  int32_t Run::*bound) const {
    bool low = bound == &Run::low;
    int32_t found = run.*bound;
    if (run.high == 0)
      return found;
    int64_t rows = rowCount(), looked = 0;
    bool any = false;
    // From the end where the clamp would be; a few rows are enough, since bounds are monotone in t.
    for (int64_t i = 0; i < rows && looked < 4 * kEndRows; ++i) {
      int64_t row = low ? i : rows - 1 - i;
      Place at = placeOf(row, form.period, form.boxTiles);
      if (at.phase != phase)
        continue;
      ++looked;
      std::optional<RowBlocks> blocks = blocksOf(blockRuns(row));
      if (!blocks || blocks->runs[slot].count == 0 ||
          evaluate(run, at.t, at.m) != blocks->runs[slot])
        continue;
      Multiples m = multiples(blocks->runs[slot]);
      int32_t value = low ? m.begin : m.end;
      found = !any ? value : low ? std::min(found, value) : std::max(found, value);
      any = true;
    }
    return found;
  }
};

std::optional<ClosedForm> ClosedForm::find(const BlockLayout &layout, int64_t boxTiles,
                                           Work *work) {
  return find(layout, {.first = 0, .count = layout.rows()}, boxTiles, work);
}

std::optional<ClosedForm> ClosedForm::find(const BlockLayout &layout, const Rows &rows,
                                           int64_t boxTiles, Work *work) {
  return FormFinder(layout, rows, std::max<int64_t>(boxTiles, 1), work).find();
}

RowBlocks ClosedForm::row(int64_t r) const {
  assert(0 <= r && r < rowCount);
  Place at = placeOf(r, period, boxTiles);
  int64_t phase = r < lead               ? r
                  : r >= rowCount - tail ? lead + period + r - (rowCount - tail)
                                         : lead + at.phase;
  return evaluate(phases[phase], at.t, at.m);
}

std::string ClosedForm::print() const {
  int most = 0;
  for (const Phase &phase : phases) {
    int here = 0;
    for (const Run &run : phase)
      here += run.high > run.low;
    most = std::max(most, here);
  }
  std::string text = fmt::format("{} run{} a row", most, most == 1 ? "" : "s");
  if (period > 1)
    text += fmt::format(", {} phases", period);
  if (boxTiles > 1)
    text += fmt::format(", {} rows a box", boxTiles);
  if (lead)
    text += lead == 1 ? std::string(", the first row apart")
                      : fmt::format(", the first {} rows apart", lead);
  if (tail)
    text += tail == 1 ? std::string(", the last row apart")
                      : fmt::format(", the last {} rows apart", tail);
  return text;
}

std::vector<int32_t> ClosedForm::numbers(const ClosedForm *next) const {
  std::vector<int32_t> list(kHead);
  auto put = [&](int at, int64_t value) {
    Divisor divisor(value);
    list[at] = divisor.value;
    list[at + 1] = static_cast<int32_t>(divisor.magic);
    list[at + 2] = divisor.shift;
  };
  list[kLead] = lead;
  list[kTailStart] = static_cast<int32_t>(rowCount) - tail;
  put(kPhases, period);
  put(kBoxTiles, boxTiles);
  for (const Phase &phase : phases)
    for (const Run &run : phase) {
      list.insert(list.end(), run.begin.begin(), run.begin.end());
      list.insert(list.end(), run.end.begin(), run.end.end());
      list.insert(list.end(), {run.low, run.high, run.origin, run.step});
    }
  list[kNext] = next ? static_cast<int32_t>(rowCount) : std::numeric_limits<int32_t>::max();
  list[kNextAt] = static_cast<int32_t>(list.size());
  if (next) {
    std::vector<int32_t> after = next->numbers();
    list.insert(list.end(), after.begin(), after.end());
  }
  return list;
}

} // namespace sparsec
