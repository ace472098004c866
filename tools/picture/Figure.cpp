#include "tools/picture/Figure.h"

#include "patterns/Files.h"
#include "tools/picture/Svg.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsec {

namespace {

constexpr int kMargin = 56, kBetween = 36; ///< around the figure; between panels
constexpr int kColumnGap = 84;
constexpr int64_t kMostPixels = int64_t{1} << 26;

constexpr TextStyle kTitle = {.height = 24, .weight = TextStyle::Weight::Bold};
constexpr TextStyle kSubtitle = {.height = 14, .colour = palette::kQuiet};
constexpr TextStyle kColumnTitle = {.height = 18, .weight = TextStyle::Weight::Bold};
constexpr TextStyle kPanelTitle = {.height = 13, .colour = palette::kInk};
constexpr TextStyle kLabel = {.height = 12, .colour = palette::kQuiet};

/// Pixels of a cell and of the gap after it.
struct Cell {
  int size = 1, gap = 0;
  int pitch() const { return size + gap; }
};

Cell cellOf(const Panel &panel) {
  int most = std::max({panel.rows, panel.columns, 1});
  int pitch = std::clamp(panel.side / most, 1, 64);
  int gap = pitch >= 16 ? 2 : pitch >= 5 ? 1 : 0;
  return {pitch - gap, gap};
}

int frameGaps(const Panel &panel) {
  return panel.frame > 0 ? (panel.columns - 1) / panel.frame : 0;
}

int frameGap(const Cell &cell) {
  return std::max(4, cell.pitch() / 2);
}

/// The field without its texts, and the whole.
struct Extent {
  Pixels field, whole;
  int top = 0; ///< of the field in the whole
};

Extent extentOf(const Panel &panel) {
  Cell cell = cellOf(panel);
  Extent extent;
  if (panel.rows > 0 && panel.columns > 0) // else a note alone
    extent.field = {panel.columns * cell.pitch() - cell.gap + frameGaps(panel) * frameGap(cell),
                    panel.rows * cell.pitch() - cell.gap};
  extent.top = (panel.title.empty() ? 0 : 26) + (panel.topLabel.empty() ? 0 : 22);
  int text = int(Raster::textWidth(panel.title, kPanelTitle)) + 1;
  text = std::max(text, int(Raster::textWidth(panel.note, kLabel)) + 1);
  extent.whole = {std::max(extent.field.width, text),
                  extent.top + extent.field.height + (panel.note.empty() ? 0 : 24)};
  return extent;
}

Pixels sizeOf(const std::vector<Panel> &panels) {
  Pixels size;
  for (const Panel &panel : panels) {
    Extent extent = extentOf(panel);
    size.width += extent.whole.width + (size.width ? kBetween : 0);
    size.height = std::max(size.height, extent.whole.height);
  }
  return size;
}

void draw(Canvas &canvas, const Panel &panel, int x, int y) {
  Extent extent = extentOf(panel);
  Cell cell = cellOf(panel);
  if (!panel.title.empty())
    canvas.text({double(x), y + 13.0}, panel.title, kPanelTitle);
  TextStyle label = kLabel;
  label.align = Align::Centre;
  int left = x, top = y + extent.top;
  if (!panel.topLabel.empty())
    canvas.text({left + extent.field.width / 2.0, top - 9.0}, panel.topLabel, label);
  label.turn = TextStyle::Turn::Upwards; // in the gap at the left, so that fields line up
  if (!panel.leftLabel.empty())
    canvas.text({left - 9.0, top + extent.field.height / 2.0}, panel.leftLabel, label);
  if (!panel.note.empty())
    canvas.text({double(left), top + extent.field.height + 17.0}, panel.note, kLabel);
  for (int row = 0; row < panel.rows; ++row)
    for (int column = 0, count = 1; column < panel.columns; column += count) {
      const Colour *cells = &panel.cells[size_t(row) * panel.columns + column];
      // Cells without gaps between them are one box while they have one colour.
      for (count = 1; cell.gap == 0 && panel.frame == 0 && column + count < panel.columns &&
                      cells[count] == cells[0];)
        ++count;
      int across = column * cell.pitch();
      if (panel.frame > 0)
        across += column / panel.frame * frameGap(cell);
      canvas.fill(
          {left + across, top + row * cell.pitch(), count * cell.pitch() - cell.gap, cell.size},
          cells[0]);
    }
}

/// Where everything stands.
struct Plan {
  std::vector<int> columnWidth, rowHeight;
  int top = kMargin; ///< of the column titles
  Pixels size;
};

double legendWidth(const Figure &figure) {
  double width = 0;
  for (const Legend &each : figure.legend)
    width += 26 + Raster::textWidth(each.text, kLabel) + 30;
  return width;
}

Plan planOf(const Figure &figure) {
  Plan plan;
  bool titled = false;
  for (const FigureColumn &column : figure.columns) {
    double width = Raster::textWidth(column.title, kColumnTitle);
    titled |= !column.title.empty();
    plan.rowHeight.resize(std::max(plan.rowHeight.size(), column.rows.size()));
    for (size_t row = 0; row < column.rows.size(); ++row) {
      Pixels size = sizeOf(column.rows[row]);
      width = std::max(width, double(size.width));
      plan.rowHeight[row] = std::max(plan.rowHeight[row], size.height);
    }
    plan.columnWidth.push_back(int(width) + 1);
  }
  double width = std::max({Raster::textWidth(figure.title, kTitle),
                           Raster::textWidth(figure.subtitle, kSubtitle), legendWidth(figure)});
  int columns = -kColumnGap;
  for (int each : plan.columnWidth)
    columns += each + kColumnGap;
  plan.top += (figure.title.empty() ? 0 : 42) + (figure.subtitle.empty() ? 0 : 52);
  int height = plan.top + (titled ? 40 : 0);
  for (int each : plan.rowHeight)
    height += each ? each + kBetween : 0;
  height += figure.legend.empty() ? -kBetween : 20;
  plan.size = {std::max(int(width) + 1, columns) + 2 * kMargin, height + kMargin};
  return plan;
}

} // namespace

Panel makePanel(std::string title, int64_t rows, int64_t columns, const Colour &colour) {
  Panel panel;
  panel.title = std::move(title);
  panel.rows = static_cast<int>(rows);
  panel.columns = static_cast<int>(columns);
  panel.cells.assign(size_t(rows * columns), colour);
  return panel;
}

namespace {

void paint(Canvas &canvas, const Figure &figure, const Plan &plan) {
  double y = kMargin + kTitle.height;
  if (!figure.title.empty())
    canvas.text({double(kMargin), y}, figure.title, kTitle);
  if (!figure.subtitle.empty())
    canvas.text({double(kMargin), figure.title.empty() ? y : y + 32}, figure.subtitle, kSubtitle);
  int x = kMargin, bottom = plan.top;
  for (size_t i = 0; i < figure.columns.size(); ++i) {
    const FigureColumn &column = figure.columns[i];
    int top = plan.top;
    if (!column.title.empty())
      canvas.text({double(x), top + kColumnTitle.height}, column.title, kColumnTitle);
    bool titled = std::any_of(figure.columns.begin(), figure.columns.end(),
                              [](const FigureColumn &each) { return !each.title.empty(); });
    top += titled ? 40 : 0;
    for (size_t row = 0; row < plan.rowHeight.size(); ++row) {
      int across = x;
      if (row < column.rows.size())
        for (const Panel &panel : column.rows[row]) {
          draw(canvas, panel, across, top);
          across += extentOf(panel).whole.width + kBetween;
        }
      top += plan.rowHeight[row] ? plan.rowHeight[row] + kBetween : 0;
    }
    bottom = top;
    x += plan.columnWidth[i] + kColumnGap;
  }
  double along = kMargin;
  for (const Legend &each : figure.legend) {
    canvas.fill({int(along), bottom, 16, 16}, each.colour);
    canvas.text({along + 26, bottom + 14.0}, each.text, kLabel);
    along += 26 + Raster::textWidth(each.text, kLabel) + 30;
  }
}

Result<Plan> possiblePlan(const Figure &figure) {
  Plan plan = planOf(figure);
  if (int64_t(plan.size.width) * plan.size.height > kMostPixels)
    return inputError(fmt::format("the figure would have {} x {} pixels: show fewer heads",
                                  plan.size.width, plan.size.height));
  return plan;
}

} // namespace

Result<Raster> render(const Figure &figure) {
  Result<Plan> plan = possiblePlan(figure);
  if (!plan)
    return plan.error();
  Raster raster(plan->size);
  paint(raster, figure, *plan);
  return raster;
}

Result<std::string> renderSvg(const Figure &figure) {
  Result<Plan> plan = possiblePlan(figure);
  if (!plan)
    return plan.error();
  Svg svg(plan->size);
  paint(svg, figure, *plan);
  return svg.document();
}

bool isFigureName(const std::string &path) {
  return path.ends_with(".png") || path.ends_with(".svg");
}

Result<void> write(const Figure &figure, const std::string &path) {
  if (path.ends_with(".svg")) {
    Result<std::string> document = renderSvg(figure);
    if (!document)
      return document.error();
    return writeWhole(path, [&](std::FILE *file) {
      return std::fwrite(document->data(), 1, document->size(), file) == document->size();
    });
  }
  Result<Raster> raster = render(figure);
  return raster ? raster->writePng(path) : Result<void>(raster.error());
}

} // namespace sparsec
