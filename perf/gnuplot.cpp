// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A Figure as a gnuplot script that writes a PNG, for machines without rsvg-convert.
#include <cstdio>

#include "plot.h"

namespace goss::perf {

namespace {

// A single-quoted string of gnuplot, in which only the quote itself is special.
std::string quote(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string data_block(const Series& series, const std::string& name) {
  std::string out = "$" + name + " << EOD\n";
  for (const Point& point : series.points) {
    char line[64];
    std::snprintf(line, sizeof line, "%.17g %.17g\n", point.x, point.y);
    out += line;
  }
  return out + "EOD\n";
}

std::string plot_command(const Panel& panel, size_t index) {
  std::string data;
  std::string command;
  for (size_t i = 0; i < panel.series.size(); ++i) {
    const Series& series = panel.series[i];
    if (series.points.empty()) continue;
    const std::string name = "d" + std::to_string(index) + "_" + std::to_string(i);
    data += data_block(series, name);
    command += command.empty() ? "plot " : ", \\\n     ";
    command += "$" + name + " using 1:2 with linespoints lw 2 ps 0.8 pt " +
               (series.dashed ? "6 dt 2" : "7") + " lc rgb '" + palette(series.colour) +
               "' title " + quote(series.name);
  }
  return data + command + "\n";
}

}  // namespace

std::string render_gnuplot(const Figure& figure, const std::string& png) {
  std::string out =
      "set terminal pngcairo size 2080,1000 font 'sans,20' enhanced\n"
      "set output " +
      quote(png) +
      "\n"
      "set encoding utf8\n"
      "set termoption noenhanced\n"
      "set multiplot layout 1," +
      std::to_string(figure.panels.size()) + " title " +
      quote(figure.title + "  \u2013  " + figure.subtitle) +
      "\n"
      "set logscale x 2\n"
      "set format x '%.0b%B'\n"
      "set xlabel 'size (bytes)'\n"
      "set grid lt 1 lw 1 lc rgb '#dddddd'\n"
      "set border 3\n"
      "set tics nomirror\n";
  for (size_t i = 0; i < figure.panels.size(); ++i) {
    const Panel& panel = figure.panels[i];
    out += "set title " + quote(panel.title) + "\n";
    out += panel.is_time ? "set logscale y 10\nset ylabel '\u00b5s'\nset key left top\n"
                         : "unset logscale y\nset yrange [0:*]\nset ylabel 'GB/s'\n";
    out += plot_command(panel, i);
  }
  return out + "unset multiplot\n";
}

}  // namespace goss::perf
