// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A Figure as SVG: panels side by side, one legend below.
#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "plot.h"

namespace goss::perf {

namespace {

constexpr double kPanelWidth = 440, kPanelHeight = 300;
constexpr double kLeft = 72, kGap = 92, kTop = 92, kBelow = 56, kRight = 28;
constexpr double kLegendLine = 22, kLegendColumn = 250;

std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));
std::string format(const char* pattern, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      default: out += c;
    }
  }
  return out;
}

// Maps values to places; the axis has been widened to whole ticks.
struct Axis {
  double low, high;  // of the value, or of its logarithm
  double from, to;   // places on the picture
  double base = 0;   // of the logarithm; 0: linear
  double tick = 1;
  double place(double value) const {
    const double v = base > 0 ? std::log(value) / std::log(base) : value;
    return from + (v - low) / (high - low) * (to - from);
  }
  double value(double at) const { return base > 0 ? std::pow(base, at) : at; }
};

struct Range {
  double low = 1e300, high = -1e300;
  void add(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

Axis logarithmic(Range range, double base, double from, double to) {
  if (range.low > range.high) range = {1, base};
  const auto log = [base](double v) { return std::log(v) / std::log(base); };
  Axis axis{std::floor(log(range.low) + 1e-9), std::ceil(log(range.high) - 1e-9), from, to, base};
  if (axis.high - axis.low < 1) {
    axis.low -= 0.5;  // a single size: in the middle
    axis.high += 0.5;
  }
  axis.tick = std::max(1.0, std::ceil((axis.high - axis.low) / 9));
  return axis;
}

Axis linear(const Range& range, double from, double to) {
  const double top = range.high > 0 ? range.high * 1.05 : 1;
  const double rough = top / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double digit = rough / power;
  const double step = (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
  return {0, std::ceil(top / step) * step, from, to, 0, step};
}

std::string text_at(double x, double y, const char* style, const std::string& text) {
  return format("<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, style) + escape(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const char* stroke) {
  return format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1,
                x2, y2, stroke);
}

std::string draw_axes(const Panel& panel, const Axis& x, const Axis& y) {
  constexpr const char* kGrid = "#e6e6e6";
  constexpr const char* kFrame = "#808080";
  std::string out = text_at(x.from, kTop - 14, "class=\"head\"",
                            panel.title + (panel.is_time ? " (\u00b5s)" : " (GB/s)"));
  for (double at = y.base > 0 ? std::ceil(y.low) : y.low; at <= y.high + 1e-9 * y.high;
       at += y.tick) {
    const double place = y.place(y.value(at));
    out += line(x.from, place, x.to, place, kGrid);
    out += text_at(x.from - 8, place + 4, "text-anchor=\"end\"", format("%.6g", y.value(at)));
  }
  for (double at = std::ceil(x.low); at <= x.high; at += x.tick) {
    const double place = x.place(x.value(at));
    out += line(place, y.from, place, y.to, kGrid);
    out += text_at(place, y.from + 20, "text-anchor=\"middle\"", size_label(x.value(at)));
  }
  out += line(x.from, y.from, x.to, y.from, kFrame) + line(x.from, y.from, x.from, y.to, kFrame);
  out += text_at((x.from + x.to) / 2, y.from + 42, "text-anchor=\"middle\" class=\"soft\"",
                 "size (bytes)");
  return out;
}

std::string draw_series(const Series& series, const Axis& x, const Axis& y) {
  const char* colour = palette(series.colour);
  std::string path;
  std::string marks;
  for (const Point& point : series.points) {
    const double px = x.place(point.x);
    const double py = y.place(point.y);
    path += format("%s%.1f %.1f", path.empty() ? "M" : "L", px, py);
    marks += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\" stroke=\"%s\"/>\n", px,
                    py, series.dashed ? "#ffffff" : colour, colour);
  }
  if (path.empty()) return "";
  return format("<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" %sd=\"", colour,
                series.dashed ? "stroke-dasharray=\"5 3\" " : "") +
         path + "\"/>\n" + marks;
}

std::string draw_panel(const Panel& panel, double left) {
  Range sizes;
  Range values;
  for (const Series& series : panel.series) {
    for (const Point& point : series.points) {
      sizes.add(point.x);
      values.add(point.y);
    }
  }
  const double bottom = kTop + kPanelHeight;
  const Axis x = logarithmic(sizes, 2, left, left + kPanelWidth);
  const Axis y =
      panel.is_time ? logarithmic(values, 10, bottom, kTop) : linear(values, bottom, kTop);
  std::string out = draw_axes(panel, x, y);
  for (const Series& series : panel.series) out += draw_series(series, x, y);
  return out;
}

std::string draw_legend(const std::vector<Series>& series, double top, size_t columns) {
  std::string out;
  for (size_t i = 0; i < series.size(); ++i) {
    const size_t row = i / columns;
    const double x = kLeft + static_cast<double>(i % columns) * kLegendColumn;
    const double y = top + static_cast<double>(row) * kLegendLine;
    Series sample = series[i];
    sample.points = {{0, 0}, {1, 0}};
    out += draw_series(sample, {0, 1, x, x + 28, 0, 1}, {0, 1, y, y + 1, 0, 1});
    out += text_at(x + 38, y + 4, "", series[i].name);
  }
  return out;
}

}  // namespace

std::string render_svg(const Figure& figure) {
  const auto panels = static_cast<double>(figure.panels.size());
  const double width = kLeft + panels * kPanelWidth + (panels - 1) * kGap + kRight;
  const auto columns = static_cast<size_t>((width - kLeft) / kLegendColumn);
  const std::vector<Series>& series = figure.panels.front().series;
  const size_t lines = (series.size() + columns - 1) / columns;
  const double legend_top = kTop + kPanelHeight + kBelow + 16;
  const double height = legend_top + static_cast<double>(lines) * kLegendLine;
  std::string out = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
      "height=\"%.0f\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" "
      "fill=\"#333333\">\n",
      width, height, width, height);
  out +=
      "<style>.title{font-size:18px;font-weight:bold}.head{font-size:13px;font-weight:bold}"
      ".soft{fill:#707070}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  out += text_at(kLeft, 32, "class=\"title\"", figure.title);
  out += text_at(kLeft, 52, "class=\"soft\"", figure.subtitle);
  double left = kLeft;
  for (const Panel& panel : figure.panels) {
    out += draw_panel(panel, left);
    left += kPanelWidth + kGap;
  }
  return out + draw_legend(series, legend_top, columns) + "</svg>\n";
}

}  // namespace goss::perf
