#include "tools/picture/Plot.h"

#include "tools/picture/Figure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace sparsec {

namespace {

constexpr int kLeft = 76, kRight = 20, kTop = 54, kBottom = 56, kTick = 5;
constexpr int kLegend = 41, kLegendLine = 17; ///< baseline of its first line; to the next one
constexpr double kText = 10, kTitle = 13;
using Tick = Plot::Tick;

std::string label(double value) {
  constexpr double kThousand = 1000;
  if (std::fabs(value) >= 10 * kThousand)
    return fmt::format("{:.6g}k", value / kThousand);
  return fmt::format("{:.6g}", std::fabs(value) < 1e-12 ? 0 : value);
}

/// A range of numbers with ticks, widened to round ones.
struct Axis {
  double low = 0, high = 1;
  std::vector<Tick> ticks;
  bool isLog = false;

  /// Steps of 1, 2 or 5 times a power of ten, some six of them.
  static Axis linear(double low, double high) {
    constexpr double kSteps = 6;
    if (!(high > low))
      high = low + std::max(1e-9, std::fabs(low) * 0.1 + 1e-3);
    double rough = (high - low) / kSteps, power = std::pow(10, std::floor(std::log10(rough)));
    double step = power * 10;
    for (double round : {5.0, 2.0, 1.0})
      if (rough <= round * power)
        step = round * power;
    Axis axis{std::floor(low / step) * step, std::ceil(high / step) * step, {}};
    for (int i = 0; i <= std::lround((axis.high - axis.low) / step); ++i)
      axis.ticks.push_back({axis.low + i * step, label(axis.low + i * step)});
    return axis;
  }

  /// Of positive numbers: from the greatest of 1, 2 and 5 times powers of ten that is below all.
  static Axis log(double low, double high) {
    Axis axis{low, high, {}, /*isLog=*/true};
    for (double power = std::pow(10, std::floor(std::log10(low)));; power *= 10)
      for (double times : {1.0, 2.0, 5.0}) {
        double tick = times * power;
        if (tick <= low * (1 + 1e-9))
          axis.ticks.clear(); // a later one is as good
        axis.ticks.push_back({tick, label(tick)});
        if (tick >= high * (1 - 1e-9) && axis.ticks.size() > 1) {
          axis.low = axis.ticks.front().at, axis.high = tick;
          return axis;
        }
      }
  }

  /// Of given ticks, with some room on both sides.
  static Axis of(std::vector<Tick> ticks, Plot::Scale scale) {
    constexpr double kRoom = 0.04;
    bool isLog = scale == Plot::Scale::Log;
    double low = ticks.front().at, high = ticks.back().at;
    if (isLog) {
      double room = std::pow(high / low, kRoom);
      return {low / room, high * room, std::move(ticks), isLog};
    }
    double room = high > low ? kRoom * (high - low) : 1;
    return {low - room, high + room, std::move(ticks), isLog};
  }

  double share(double value) const {
    return isLog ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  }
  bool has(double value) const { return std::isfinite(value) && (!isLog || value > 0); }
};

struct Drawing {
  const Plot &plot;
  Axis x, y;
  Raster raster;
  int top = kTop; ///< of the axes, below the legend

  int width() const { return plot.size.width - kLeft - kRight; }
  int height() const { return plot.size.height - top - kBottom; }
  Place at(const Place &point) const {
    return {kLeft + x.share(point.x) * width(), top + (1 - y.share(point.y)) * height()};
  }

  void axes() {
    for (const Tick &tick : y.ticks) {
      int row = static_cast<int>(std::lround(at({x.low, tick.at}).y));
      raster.fill({kLeft, row, width(), 1}, palette::kEmpty);
      raster.text({kLeft - 8.0, row + kText / 2}, tick.label,
                  {.height = kText, .colour = palette::kQuiet, .align = Align::Right});
    }
    int bottom = top + height();
    for (const Tick &tick : x.ticks) {
      int column = static_cast<int>(std::lround(at({tick.at, y.low}).x));
      raster.fill({column, bottom, 1, kTick}, palette::kQuiet);
      raster.text({static_cast<double>(column), bottom + kTick + 2 * kText}, tick.label,
                  {.height = kText, .colour = palette::kQuiet, .align = Align::Centre});
    }
    raster.fill({kLeft, bottom, width(), 1}, palette::kQuiet);
    raster.text({kLeft + width() / 2.0, plot.size.height - 8.0}, plot.xLabel,
                {.height = kText, .align = Align::Centre});
    raster.text({16, top + height() / 2.0}, plot.yLabel,
                {.height = kText, .align = Align::Centre, .turn = TextStyle::Turn::Upwards});
    raster.text({kLeft, 22}, plot.title, {.height = kTitle, .weight = TextStyle::Weight::Bold});
  }

  Colour colourOf(size_t series) const {
    return palette::series(plot.series[series].colour.value_or(series));
  }

  /// Names in lines that the axes make room for.
  void legend() {
    constexpr double kGap = 24, kMark = 18;
    TextStyle style{.height = kText};
    double along = kLeft;
    int line = kLegend;
    auto place = [&](double wide) {
      if (along > kLeft && along + wide > plot.size.width - kRight) {
        along = kLeft;
        line += kLegendLine;
      }
      return std::exchange(along, along + wide + kGap);
    };
    for (size_t i = 0; i < plot.series.size(); ++i) {
      const std::string &name = plot.series[i].name;
      if (name.empty())
        continue;
      double begin = place(kMark + Raster::textWidth(name, style));
      raster.fill({static_cast<int>(begin), line - 7, 12, 4}, colourOf(i));
      raster.text({begin + kMark, static_cast<double>(line)}, name, style);
    }
    if (!plot.note.empty())
      raster.text({place(Raster::textWidth(plot.note, style)), static_cast<double>(line)},
                  plot.note, {.height = kText, .colour = palette::kQuiet});
    top = kTop + line - kLegend;
  }

  /// Every other few pixels of a line.
  void dashes(const std::vector<Place> &points, const Colour &colour) {
    constexpr double kDash = 7, kPeriod = 13;
    double gone = 0; // along the whole line
    for (size_t i = 1; i < points.size(); ++i) {
      Place from = points[i - 1], to = points[i];
      double length = std::hypot(to.x - from.x, to.y - from.y);
      auto along = [&](double share) {
        return Place{from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)};
      };
      for (double begin = -std::fmod(gone, kPeriod); begin < length; begin += kPeriod) {
        double first = std::max(begin, 0.0), last = std::min(begin + kDash, length);
        if (last > first)
          raster.line(std::array{along(first / length), along(last / length)}, 2, colour);
      }
      gone += length;
    }
  }

  void curves() {
    constexpr double kDot = 7;
    for (size_t i = 0; i < plot.series.size(); ++i) {
      const Series &series = plot.series[i];
      std::vector<Place> points;
      for (const Place &each : series.points)
        if (x.has(each.x) && y.has(each.y))
          points.push_back(at(each));
      if (series.dots)
        for (const Place &each : points)
          raster.line(std::array{each, each}, kDot, colourOf(i));
      if (series.line == Series::Line::Dashed) {
        dashes(points, colourOf(i));
        continue;
      }
      if (points.size() == 1) // a dot
        points.push_back(points[0]);
      raster.line(points, 2, colourOf(i));
    }
  }
};

} // namespace

Raster render(const Plot &plot) {
  bool xLog = plot.xScale == Plot::Scale::Log, yLog = plot.yScale == Plot::Scale::Log;
  std::optional<std::pair<Place, Place>> box;
  for (const Series &series : plot.series)
    for (const Place &each : series.points) {
      if (!std::isfinite(each.x) || !std::isfinite(each.y) || (xLog && !(each.x > 0)) ||
          (yLog && !(each.y > 0)))
        continue;
      if (!box)
        box = {each, each};
      auto &[least, most] = *box;
      least = {std::min(least.x, each.x), std::min(least.y, each.y)};
      most = {std::max(most.x, each.x), std::max(most.y, each.y)};
    }
  auto [least, most] = box.value_or(std::pair{Place{1, 1}, Place{2, 2}});
  auto axis = [](bool isLog, double low, double high) {
    return isLog ? Axis::log(low, high) : Axis::linear(low, high);
  };
  Axis x = plot.xTicks.empty() ? axis(xLog, least.x, most.x) : Axis::of(plot.xTicks, plot.xScale);
  Drawing drawing{plot, std::move(x), axis(yLog, least.y, most.y), Raster(plot.size)};
  drawing.legend();
  drawing.axes();
  drawing.curves();
  return std::move(drawing.raster);
}

} // namespace sparsec
