// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The shapes of digits and letters, drawn for this project on a grid of 9 x 9 points.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace goss::train {

struct Point {
  double x = 0;
  double y = 0;
};
using Stroke = std::vector<Point>;  // neighbours are joined by straight lines

// The classes of the 47 glyphs in order: digits, capitals, and those small letters that differ from
// their capitals in more than size. The first ten are the digits.
inline constexpr std::string_view kGlyphs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt";

// Number of ways to write a glyph, 1 or more.
uint32_t faces_of(char glyph);

// The strokes of a glyph; coordinates 0 to 8, y downwards. face is below faces_of(glyph).
std::vector<Stroke> strokes_of(char glyph, uint32_t face);

// The glyph that a badly written one is most often taken for, among the first `classes` of kGlyphs.
char lookalike_of(char glyph, uint32_t classes);

}  // namespace goss::train
