#include "layout/HeadTables.h"

#include <fmt/format.h>

#include <limits>

namespace sparsec {

namespace {

/// Adds one head's tables behind those before it.
void append(BlockTables &all, BlockTables head) {
  if (all.rowOrder.empty()) {
    all = std::move(head);
    return;
  }
  int32_t base = all.offsets.back();
  for (size_t i = 1; i < head.offsets.size(); ++i)
    all.offsets.push_back(base + head.offsets[i]);
  all.columns.insert(all.columns.end(), head.columns.begin(), head.columns.end());
  all.rowOrder.insert(all.rowOrder.end(), head.rowOrder.begin(), head.rowOrder.end());
}

} // namespace

Result<HeadLayouts> layoutsOfHeads(const Expr &attend, const LayoutRequest &request,
                                   const Order &queries, const Order &keys, const Heads &heads) {
  assert(heads.count >= 1);
  HeadLayouts result;
  result.shared = !mentions(attend, Op::Head);
  int64_t built = result.shared ? 1 : heads.count;
  int64_t times = result.shared ? heads.count : 1;
  for (int64_t y = 0; y < built; ++y) {
    LayoutRequest ofHead = request;
    ofHead.h = heads.first + y * heads.step;
    Result<BlockLayout> layout = BlockLayout::build(attend, ofHead, queries, keys);
    if (!layout)
      return layout.error();
    BlockCounts counts = layout->counts();
    int64_t live = 0;
    if (__builtin_mul_overflow(times, counts.live, &live) ||
        __builtin_add_overflow(result.counts.live, live, &result.counts.live))
      return machineError(
          fmt::format("the {} live blocks of each of {} heads are too many to count", counts.live,
                      heads.count));
    result.counts.full += times * counts.full;
    result.counts.partial += times * counts.partial;
    result.layouts.push_back(std::move(*layout));
  }
  return result;
}

Result<HeadTables> tablesOf(const HeadLayouts &heads) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  int64_t lists = static_cast<int64_t>(heads.layouts.size()), live = 0;
  for (const BlockLayout &layout : heads.layouts)
    live += layout.counts().live;
  if (live > kMost || lists * heads.rows() > (kMost - 1) / 2)
    return machineError(fmt::format(
        "this kernel reads its blocks from tables, whose 32-bit offsets reach {} blocks; {} "
        "table{} of {} rows would list {}; a larger block has fewer",
        kMost, lists, lists == 1 ? "" : "s", heads.rows(), live));
  HeadTables result;
  result.tables.offsets = {0};
  for (const BlockLayout &layout : heads.layouts) {
    Result<BlockTables> tables = layout.tables();
    if (!tables)
      return tables.error();
    append(result.tables, *std::move(tables));
  }
  if (!heads.shared)
    result.rowsPerHead = heads.rows();
  return result;
}

/// The pieces of a layout that have forms of their own: all rows, or those of each of two lattices.
static std::vector<std::vector<ClosedForm::Rows>> piecesOf(const Order &rows) {
  std::vector<std::vector<ClosedForm::Rows>> pieces = {{{.first = 0, .count = rows.tileCount()}}};
  if (rows.lattices().size() == 2) {
    int64_t second = rows.lattices()[1].firstTile;
    pieces.push_back(
        {{.first = 0, .count = second}, {.first = second, .count = rows.tileCount() - second}});
  }
  return pieces;
}

/// Tiles of a box of the lattice that tiles from `first` on are of; 1 in orders without such.
static int64_t boxTilesOf(const Order &order, int64_t first) {
  if (!std::holds_alternative<ResidueOrder>(order.spec()) &&
      !std::holds_alternative<TailsOrder>(order.spec()))
    return 1;
  const std::vector<Lattice> &lattices = order.lattices();
  if (lattices.empty()) // no tokens
    return 1;
  bool second = lattices.size() == 2 && first == lattices[1].firstTile;
  int64_t tiles = 1;
  for (const Lattice::Axis &axis : lattices[second].axes)
    tiles *= axis.parts();
  return tiles;
}

/// A layout's forms in one list, with their text.
static std::optional<std::pair<std::vector<int32_t>, std::string>>
formOf(const BlockLayout &layout, const Order &order, Work *work) {
  for (const std::vector<ClosedForm::Rows> &pieces : piecesOf(order)) {
    std::vector<ClosedForm> forms;
    for (const ClosedForm::Rows &rows : pieces)
      if (std::optional<ClosedForm> form =
              ClosedForm::find(layout, rows, boxTilesOf(order, rows.first), work))
        forms.push_back(std::move(*form));
      else
        break;
    if (forms.size() < pieces.size())
      continue;
    std::string text = forms[0].print();
    if (forms.size() == 2)
      text = fmt::format("{} rows of {}, then {} of {}", forms[0].rows(), text, forms[1].rows(),
                         forms[1].print());
    return std::pair(forms[0].numbers(forms.size() == 2 ? &forms[1] : nullptr), std::move(text));
  }
  return std::nullopt;
}

std::optional<HeadForms> formsOf(const HeadLayouts &heads, const Order &rows, Work *work) {
  HeadForms result;
  std::vector<std::vector<int32_t>> lists;
  for (const BlockLayout &layout : heads.layouts) {
    auto form = formOf(layout, rows, work);
    if (!form)
      return std::nullopt;
    if (result.text.empty())
      result.text = std::move(form->second);
    lists.push_back(std::move(form->first));
  }
  size_t longest = 0;
  for (const auto &list : lists)
    longest = std::max(longest, list.size());
  for (auto &list : lists) {
    list.resize(longest);
    result.numbers.insert(result.numbers.end(), list.begin(), list.end());
  }
  result.stride = heads.shared ? 0 : static_cast<int64_t>(longest);
  return result;
}

} // namespace sparsec
