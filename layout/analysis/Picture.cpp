#include "layout/analysis/Picture.h"

#include <algorithm>

namespace sparsec {

Result<Picture> draw(const Expr &attend, const LayoutRequest &request, int64_t columns) {
  assert(columns >= 1);
  Picture picture;
  picture.scale = std::max<int64_t>(1, (request.nk + columns - 1) / columns);
  LayoutRequest cells = request;
  cells.blockQ = cells.blockK = static_cast<int>(picture.scale);
  Result<BlockLayout> layout = BlockLayout::build(attend, cells);
  if (!layout)
    return layout.error();

  // A layout calls the blocks of a short last column partial; those that attend wholly are empty in
  // the layout of what does not attend.
  std::optional<BlockLayout> holes;
  if (request.nk % picture.scale != 0) {
    Result<BlockLayout> complement = BlockLayout::build(make(Op::Not, {attend}), cells);
    if (!complement)
      return complement.error();
    holes = std::move(*complement);
  }

  int64_t last = layout->columns() - 1;
  for (int64_t r = 0; r < layout->rows(); ++r) {
    std::string line(std::max<int64_t>(2 * last + 1, 0), ' ');
    for (int64_t c = 0; c <= last; ++c)
      line[2 * c] = '.';
    for (const BlockRun &run : layout->row(r))
      for (int32_t c = run.begin; c < run.end; ++c)
        line[2 * c] = run.kind == BlockKind::Full ? '#' : '+';
    bool attendsLast = last >= 0 && line[2 * last] != '.';
    if (holes && attendsLast && (holes->row(r).empty() || holes->row(r).back().end <= last))
      line[2 * last] = '#';
    picture.text += line + '\n';
  }
  return picture;
}

} // namespace sparsec
