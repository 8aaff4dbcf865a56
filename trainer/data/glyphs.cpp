// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A written glyph: strokes turned, sheared, scaled, shifted and bent, drawn with a pen of random
// width, over clutter and under noise. All amplitudes grow with the difficulty.
#include <cmath>

#include "data/canvas.h"
#include "data/pictures.h"
#include "data/strokes.h"

namespace goss::train {

namespace {

constexpr uint32_t kSide = 28;
constexpr double kPixelsPerUnit = 2.3;  // of the 8 units that a glyph is high
constexpr double kTurn = .30;           // tangent of half the largest angle: 33 degrees
constexpr double kScale = .35;
constexpr double kShear = .45;
constexpr double kShift = 4;        // pixels
constexpr double kBend = 3.2;       // pixels, standard deviation
constexpr int kBendGrid = 5;        // knots per direction
constexpr double kGhostFrom = .35;  // difficulty from which a lookalike shines through
constexpr double kNoise = .45;      // standard deviation, of white to black
constexpr int kMaxClutter = 5;      // lines

// Where the points of a glyph go.
class Warp {
 public:
  Warp(double difficulty, Random& random) {
    const double t = kTurn * difficulty * random.centred();
    const double cosine = (1 - t * t) / (1 + t * t);
    const double sine = 2 * t / (1 + t * t);
    const double shear = kShear * difficulty * random.centred();
    const double wide = kPixelsPerUnit * (1 + kScale * difficulty * random.centred());
    const double high = kPixelsPerUnit * (1 + kScale * difficulty * random.centred());
    xx_ = cosine * wide;
    xy_ = (cosine * shear - sine) * high;
    yx_ = sine * wide;
    yy_ = (sine * shear + cosine) * high;
    x0_ = kSide / 2 + kShift * difficulty * random.centred();
    y0_ = kSide / 2 + kShift * difficulty * random.centred();
    for (Point& knot : bend_) {
      knot = {kBend * difficulty * random.bell(), kBend * difficulty * random.bell()};
    }
  }

  Point operator()(Point p) const {
    const Point bend = bend_at(p);
    const double x = p.x - 4;
    const double y = p.y - 4;
    return {x0_ + xx_ * x + xy_ * y + bend.x, y0_ + yx_ * x + yy_ * y + bend.y};
  }

 private:
  // Bilinear between knots at a distance of two units.
  Point bend_at(Point p) const {
    const int column = std::min(static_cast<int>(p.x / 2), kBendGrid - 2);
    const int row = std::min(static_cast<int>(p.y / 2), kBendGrid - 2);
    const double fx = p.x / 2 - column;
    const double fy = p.y / 2 - row;
    const Point* knot = bend_ + row * kBendGrid + column;
    const auto blend = [&](double a, double b, double c, double d) {
      return (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * d);
    };
    return {blend(knot[0].x, knot[1].x, knot[kBendGrid].x, knot[kBendGrid + 1].x),
            blend(knot[0].y, knot[1].y, knot[kBendGrid].y, knot[kBendGrid + 1].y)};
  }

  double xx_, xy_, yx_, yy_, x0_, y0_;
  Point bend_[kBendGrid * kBendGrid];
};

void draw_glyph(Canvas& canvas, char glyph, const Warp& warp, const Pen& pen, Random& random) {
  const uint32_t face = random.below(faces_of(glyph));
  for (Stroke& stroke : strokes_of(glyph, face)) {
    for (Point& point : stroke) point = warp(point);
    canvas.draw(stroke, pen);
  }
}

void draw_clutter(Canvas& canvas, double difficulty, Random& random) {
  const auto anywhere = [&] { return Point{kSide * random.unit(), kSide * random.unit()}; };
  const auto lines = static_cast<int>(kMaxClutter * difficulty * (random.unit() + .5));
  for (int i = 0; i < lines; ++i) {
    const Point from = anywhere();
    const Point to{from.x + 8 * random.centred(), from.y + 8 * random.centred()};
    canvas.draw({from, to}, {.4 + random.unit(), 1, .3 + .7 * random.unit()});
  }
}

}  // namespace

void paint_glyph(const Subject& subject, Random& random, std::span<uint8_t> pixels) {
  const double d = subject.difficulty;
  const char glyph = kGlyphs[subject.label];
  Canvas canvas(kSide);
  const Warp warp(d, random);
  Pen pen{.9 + .9 * random.unit(), .8 + 1.2 * d * random.unit(), 1 - .5 * d * random.unit()};
  draw_glyph(canvas, glyph, warp, pen, random);
  draw_clutter(canvas, d, random);
  if (d > kGhostFrom) {
    pen.ink *= random.unit();
    draw_glyph(canvas, lookalike_of(glyph, subject.classes), warp, pen, random);
  }
  const double noise = kNoise * d;
  for (size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = to_byte(canvas.values()[i] + noise * random.bell());
  }
}

}  // namespace goss::train
