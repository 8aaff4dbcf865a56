// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A colour texture: one of ten patterns in two random colours, at random scale, angle and phase,
// mixed with another pattern and noise. Colours say nothing about the class.
#include <algorithm>
#include <cmath>

#include "data/canvas.h"
#include "data/pictures.h"

namespace goss::train {

namespace {

constexpr uint32_t kSide = 32;
constexpr double kNoise = .5;  // standard deviation, of the range of a channel

// A wave of period 1 between 0 and 1, of straight lines.
double wave(double x) {
  const double phase = x - std::floor(x);
  return phase < .5 ? 2 * phase : 2 - 2 * phase;
}

double length(double x, double y) { return std::sqrt(x * x + y * y); }

double centred_part(double x) { return x - std::floor(x) - .5; }

// Pattern number `kind` at (u, v), in periods; 0 to 1.
double pattern(uint32_t kind, double u, double v) {
  switch (kind) {
    case 0: return wave(u);                            // stripes upright
    case 1: return wave(v);                            // stripes lying
    case 2: return wave((u + v) * .7071067811865476);  // falling
    case 3: return wave((u - v) * .7071067811865476);  // rising
    case 4: return std::floor(2 * u) - 2 * std::floor(u) == std::floor(2 * v) - 2 * std::floor(v);
    case 5: return wave(length(u, v));                             // rings
    case 6: return length(centred_part(u), centred_part(v)) < .3;  // dots
    case 7: return std::max(wave(u), wave(v)) > .8;                // grid
    case 8: return (wave(u) + wave(v)) * .5;                       // bumps
    default: return wave(u * v * .5);                              // saddle
  }
}

struct Placement {
  double xx, xy, yx, yy, u0, v0;
};

Placement place(double difficulty, Random& random) {
  const double t = (.03 + .2 * difficulty) * random.centred();  // tangent of half the angle
  const double periods = (3 + 2 * random.centred()) / kSide;
  const double cosine = periods * (1 - t * t) / (1 + t * t);
  const double sine = periods * 2 * t / (1 + t * t);
  return {cosine, -sine, sine, cosine, random.unit(), random.unit()};
}

double at(const Placement& p, uint32_t kind, double x, double y) {
  return pattern(kind, p.u0 + p.xx * x + p.xy * y, p.v0 + p.yx * x + p.yy * y);
}

}  // namespace

void paint_texture(const Subject& subject, Random& random, std::span<uint8_t> pixels) {
  const double d = subject.difficulty;
  const Placement own = place(d, random);
  const Placement foreign = place(d, random);
  const uint32_t other = (subject.label + 1 + random.below(subject.classes - 1)) % subject.classes;
  const double mixed = std::min(.48, .9 * d * random.unit());
  const double contrast = 1 - .7 * d;
  double ground[3];
  double colour[3];
  for (int c = 0; c < 3; ++c) {
    ground[c] = random.unit();
    colour[c] = (ground[c] < .5 ? .5 : -.5) * (.4 + .6 * random.unit()) * contrast;
  }
  for (uint32_t y = 0; y < kSide; ++y) {
    for (uint32_t x = 0; x < kSide; ++x) {
      const double px = x - kSide / 2.0;
      const double py = y - kSide / 2.0;
      const double value =
          (1 - mixed) * at(own, subject.label, px, py) + mixed * at(foreign, other, px, py);
      for (uint32_t c = 0; c < 3; ++c) {
        pixels[(size_t{c} * kSide + y) * kSide + x] =
            to_byte(ground[c] + colour[c] * value + kNoise * d * random.bell());
      }
    }
  }
}

}  // namespace goss::train
