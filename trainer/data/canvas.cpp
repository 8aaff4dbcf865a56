// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/canvas.h"

#include <algorithm>
#include <cmath>

namespace goss::train {

namespace {

double distance(Point p, Point a, Point b) {
  const double dx = b.x - a.x;
  const double dy = b.y - a.y;
  const double length = dx * dx + dy * dy;
  double t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
  t = std::clamp(t, 0.0, 1.0);
  const double ex = p.x - (a.x + t * dx);
  const double ey = p.y - (a.y + t * dy);
  return std::sqrt(ex * ex + ey * ey);
}

}  // namespace

void Canvas::draw(const Stroke& stroke, const Pen& pen) {
  for (size_t i = 0; i + 1 < stroke.size(); ++i) draw_line(stroke[i], stroke[i + 1], pen);
}

void Canvas::draw_line(Point a, Point b, const Pen& pen) {
  const double reach = pen.half_width + pen.softness;
  const auto pixel = [&](double x) {
    return static_cast<uint32_t>(std::clamp(x, 0.0, static_cast<double>(side_)));
  };
  const uint32_t x_end = pixel(std::max(a.x, b.x) + reach + 1);
  const uint32_t y_end = pixel(std::max(a.y, b.y) + reach + 1);
  for (uint32_t y = pixel(std::min(a.y, b.y) - reach); y < y_end; ++y) {
    for (uint32_t x = pixel(std::min(a.x, b.x) - reach); x < x_end; ++x) {
      const double d = distance({x + .5, y + .5}, a, b);
      const double edge = std::clamp((pen.half_width - d) / pen.softness + .5, 0.0, 1.0);
      double& value = values_[size_t{y} * side_ + x];
      value = std::max(value, pen.ink * edge);
    }
  }
}

uint8_t to_byte(double value) {
  return static_cast<uint8_t>(std::clamp(value, 0.0, 1.0) * 255 + .5);
}

}  // namespace goss::train
