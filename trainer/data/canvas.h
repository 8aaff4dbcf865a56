// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A grey picture under construction. Only IEEE +, -, *, / and square root, in a fixed order: the
// same pixels on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/strokes.h"

namespace goss::train {

struct Pen {
  double half_width = 1;  // pixels
  double softness = 1;    // width of the edge, pixels
  double ink = 1;         // 0 to 1
};

class Canvas {
 public:
  explicit Canvas(uint32_t side) : side_(side), values_(size_t{side} * side) {}

  // Draw lines between neighbouring points, given in pixels; where something is drawn already the
  // darker stays. Edges are smooth: a pixel's ink falls linearly with its distance to the line.
  void draw(const Stroke& stroke, const Pen& pen);
  std::span<double> values() { return values_; }

 private:
  void draw_line(Point a, Point b, const Pen& pen);

  uint32_t side_;
  std::vector<double> values_;
};

// 0 to 1 as a byte, rounded to nearest; beyond is clamped.
uint8_t to_byte(double value);

}  // namespace goss::train
