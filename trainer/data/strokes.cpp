// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/strokes.h"

#include <array>

#include "data/dataset.h"

namespace goss::train {

namespace {

// Faces are separated by '|', strokes by spaces. A stroke is '-' straight lines, '~' an open curve
// or 'o' a closed one, then points as two digits x y.
struct Shape {
  char glyph;
  std::string_view faces;
  char among_digits;  // lookalike
  char among_all;
};

constexpr std::array<Shape, 47> kShapes = {{
    {'0', "o3050626658382622|o3050626658382622 -5533", '6', 'O'},
    {'1', "-224048|-224048 -2868|-4048", '7', 'I'},
    {'2', "~122060727418 -1878|~122070734518 -1878", '7', 'Z'},
    {'3', "~1130707334 ~3474783817|-107044 ~447476583817", '8', 'B'},
    {'4', "-601575 -6068|-201575 -6068", '9', 'A'},
    {'5', "-702013 ~135374775817", '6', 'S'},
    {'6', "~603016 o246476682816", '5', 'b'},
    {'7', "-107038|-107038 -2464", '1', 'Z'},
    {'8', "o206073642413 o246476682816|~7020135476582816541370", '3', 'B'},
    {'9', "o206072642412 ~72755828|o206072642412 -7258", '4', 'q'},
    {'A', "-184078 -2565", 0, 'R'},
    {'B', "-1018 ~105070734414 ~145474784818", 0, '8'},
    {'C', "~7150201216285877", 0, 'G'},
    {'D', "-1018 ~105072765818", 0, 'O'},
    {'E', "-70101878 -1464", 0, 'F'},
    {'F', "-701018 -1464", 0, 'f'},
    {'G', "~7150201216285877 -777454", 0, 'C'},
    {'H', "-1018 -7078 -1474", 0, 'N'},
    {'I', "-4048|-4048 -2060 -2868", 0, '1'},
    {'J', "-6065 ~6568482816", 0, 'U'},
    {'K', "-1018 -7015 -3378", 0, 'X'},
    {'L', "-101878", 0, 't'},
    {'M', "-1810457078", 0, 'N'},
    {'N', "-18107870", 0, 'M'},
    {'O', "o2060727668281612", 0, '0'},
    {'P', "-1018 ~105070744414", 0, 'F'},
    {'Q', "o2060727668281612 -5578", 0, 'O'},
    {'R', "-1018 ~105070744414 -4478", 0, 'K'},
    {'S', "~71502012245476682817", 0, '5'},
    {'T', "-1070 -4048", 0, '7'},
    {'U', "~101628587670", 0, 'V'},
    {'V', "-104870", 0, 'U'},
    {'W', "-1028436870", 0, 'M'},
    {'X', "-1078 -7018", 0, 'K'},
    {'Y', "-104470 -4448", 0, 'V'},
    {'Z', "-10701878", 0, '2'},
    {'a', "o2454656758281615 -6368|o24646638281615 -6368", 0, 'q'},
    {'b', "-2028 o245466675828", 0, '6'},
    {'d', "-6068 o346468382625", 0, 'a'},
    {'e', "-1666 ~6664542416285867", 0, 'C'},
    {'f', "~7050424548 -2464", 0, 't'},
    {'g', "o2353646556261514 -6366 ~66684828", 0, '9'},
    {'h', "-2028 ~2534546568", 0, 'n'},
    {'n', "-2428 ~2534546568", 0, 'h'},
    {'q', "o2353646556261514 -6368", 0, '9'},
    {'r', "-2428 ~25345464", 0, 'n'},
    {'t', "~3036385868 -1353", 0, 'f'},
}};

const Shape& shape_of(char glyph) {
  for (const Shape& shape : kShapes) {
    if (shape.glyph == glyph) return shape;
  }
  throw Failure(std::string("no glyph ") + glyph);
}

// Chaikin's corner cutting: each pass replaces a corner by two points at a quarter of its sides.
Stroke smooth(const Stroke& points, bool closed) {
  Stroke result;
  const size_t sides = closed ? points.size() : points.size() - 1;
  if (!closed) result.push_back(points.front());
  for (size_t i = 0; i < sides; ++i) {
    const Point a = points[i];
    const Point b = points[(i + 1) % points.size()];
    result.push_back({.75 * a.x + .25 * b.x, .75 * a.y + .25 * b.y});
    result.push_back({.25 * a.x + .75 * b.x, .25 * a.y + .75 * b.y});
  }
  if (!closed) result.push_back(points.back());
  return result;
}

Stroke parse_stroke(std::string_view text) {
  Stroke points;
  for (size_t i = 1; i + 1 < text.size(); i += 2) {
    points.push_back({static_cast<double>(text[i] - '0'), static_cast<double>(text[i + 1] - '0')});
  }
  if (text[0] == '-') return points;
  const bool closed = text[0] == 'o';
  points = smooth(smooth(points, closed), closed);
  if (closed) points.push_back(points.front());
  return points;
}

template <typename Visit>
void split(std::string_view text, char separator, Visit visit) {
  while (true) {
    const size_t end = text.find(separator);
    visit(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

uint32_t faces_of(char glyph) {
  uint32_t faces = 0;
  split(shape_of(glyph).faces, '|', [&](std::string_view) { ++faces; });
  return faces;
}

std::vector<Stroke> strokes_of(char glyph, uint32_t face) {
  std::vector<Stroke> strokes;
  split(shape_of(glyph).faces, '|', [&](std::string_view text) {
    if (face-- != 0) return;
    split(text, ' ', [&](std::string_view stroke) { strokes.push_back(parse_stroke(stroke)); });
  });
  if (strokes.empty()) throw Failure(std::string("glyph ") + glyph + " has no such face");
  return strokes;
}

char lookalike_of(char glyph, uint32_t classes) {
  const Shape& shape = shape_of(glyph);
  return classes <= 10 ? shape.among_digits : shape.among_all;
}

}  // namespace goss::train
