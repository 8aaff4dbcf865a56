// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// --plot: the table as a picture: time and bus bandwidth over size. SVG is written here, PNG by
// rsvg-convert or gnuplot, whichever is installed.
#pragma once

#include <string>
#include <vector>

namespace goss::perf {

struct Row;

struct Point {
  double x = 0;
  double y = 0;
};

struct Series {
  std::string name;
  bool dashed = false;
  int colour = 0;  // index into the palette
  std::vector<Point> points;
};

struct Panel {
  std::string title;     // above it
  bool is_time = false;  // y is microseconds, logarithmic; else GB/s, linear
  std::vector<Series> series;
};

struct Figure {
  std::string title;
  std::string subtitle;
  std::vector<Panel> panels;
};

// Throws std::invalid_argument when the name ends neither in .svg nor in .png, or when nothing
// installed can make a PNG.
void check_plot_file(const std::string& path);

Figure make_figure(const std::string& title, const std::string& subtitle,
                   const std::vector<Row>& rows);

// Throws a Failure.
void write_plot(const std::string& path, const Figure& figure);

std::string render_svg(const Figure& figure);                              // svg.cpp
std::string render_gnuplot(const Figure& figure, const std::string& png);  // gnuplot.cpp
inline constexpr int kPaletteSize = 12;
const char* palette(int colour);
std::string size_label(double bytes);  // "64K"

}  // namespace goss::perf
