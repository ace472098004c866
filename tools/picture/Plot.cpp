#include "tools/picture/Plot.h"

#include "tools/picture/Figure.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <optional>

namespace sparsec {

namespace {

constexpr int kLeft = 76, kRight = 20, kTop = 54, kBottom = 56, kTick = 5;
constexpr double kText = 10, kTitle = 13;

/// A range of numbers, widened to round ones with round steps.
struct Axis {
  double low = 0, high = 1, step = 1;

  /// Steps of 1, 2 or 5 times a power of ten, some six of them.
  static Axis over(double low, double high) {
    constexpr double kSteps = 6;
    if (!(high > low))
      high = low + std::max(1e-9, std::fabs(low) * 0.1 + 1e-3);
    double rough = (high - low) / kSteps, power = std::pow(10, std::floor(std::log10(rough)));
    double step = power * 10;
    for (double round : {5.0, 2.0, 1.0})
      if (rough <= round * power)
        step = round * power;
    return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
  }
  double share(double value) const { return (value - low) / (high - low); }
  int ticks() const { return static_cast<int>(std::lround((high - low) / step)); }
  double tick(int i) const { return low + i * step; }
};

std::string label(double value) {
  constexpr double kThousand = 1000;
  if (std::fabs(value) >= 10 * kThousand)
    return fmt::format("{:.6g}k", value / kThousand);
  return fmt::format("{:.6g}", std::fabs(value) < 1e-12 ? 0 : value);
}

struct Drawing {
  const Plot &plot;
  Axis x, y;
  Raster raster;

  int width() const { return plot.size.width - kLeft - kRight; }
  int height() const { return plot.size.height - kTop - kBottom; }
  Place at(const Place &point) const {
    return {kLeft + x.share(point.x) * width(), kTop + (1 - y.share(point.y)) * height()};
  }

  void axes() {
    for (int i = 0; i <= y.ticks(); ++i) {
      int row = static_cast<int>(std::lround(at({x.low, y.tick(i)}).y));
      raster.fill({kLeft, row, width(), 1}, palette::kEmpty);
      raster.text({kLeft - 8.0, row + kText / 2}, label(y.tick(i)),
                  {.height = kText, .colour = palette::kQuiet, .align = Align::Right});
    }
    int bottom = kTop + height();
    for (int i = 0; i <= x.ticks(); ++i) {
      int column = static_cast<int>(std::lround(at({x.tick(i), y.low}).x));
      raster.fill({column, bottom, 1, kTick}, palette::kQuiet);
      raster.text({static_cast<double>(column), bottom + kTick + 2 * kText}, label(x.tick(i)),
                  {.height = kText, .colour = palette::kQuiet, .align = Align::Centre});
    }
    raster.fill({kLeft, bottom, width(), 1}, palette::kQuiet);
    raster.text({kLeft + width() / 2.0, plot.size.height - 8.0}, plot.xLabel,
                {.height = kText, .align = Align::Centre});
    raster.text({16, kTop + height() / 2.0}, plot.yLabel,
                {.height = kText, .align = Align::Centre, .turn = TextStyle::Turn::Upwards});
    raster.text({kLeft, 22}, plot.title, {.height = kTitle, .weight = TextStyle::Weight::Bold});
  }

  void curves() {
    double along = kLeft;
    for (size_t i = 0; i < plot.series.size(); ++i) {
      std::vector<Place> points;
      for (const Place &each : plot.series[i].points)
        if (std::isfinite(each.x) && std::isfinite(each.y))
          points.push_back(at(each));
      if (points.size() == 1) // a dot
        points.push_back(points[0]);
      raster.line(points, 2, palette::series(i));
      raster.fill({static_cast<int>(along), 34, 12, 4}, palette::series(i));
      TextStyle style{.height = kText};
      raster.text({along + 18, 41}, plot.series[i].name, style);
      along += 18 + Raster::textWidth(plot.series[i].name, style) + 24;
    }
  }
};

} // namespace

Raster render(const Plot &plot) {
  std::optional<std::pair<Place, Place>> box;
  for (const Series &series : plot.series)
    for (const Place &each : series.points) {
      if (!std::isfinite(each.x) || !std::isfinite(each.y))
        continue;
      if (!box)
        box = {each, each};
      auto &[least, most] = *box;
      least = {std::min(least.x, each.x), std::min(least.y, each.y)};
      most = {std::max(most.x, each.x), std::max(most.y, each.y)};
    }
  auto [least, most] = box.value_or(std::pair{Place{0, 0}, Place{1, 1}});
  Drawing drawing{plot, Axis::over(least.x, most.x), Axis::over(least.y, most.y),
                  Raster(plot.size)};
  drawing.axes();
  drawing.curves();
  return std::move(drawing.raster);
}

} // namespace sparsec
