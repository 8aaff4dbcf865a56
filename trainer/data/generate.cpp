// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/generate.h"

#include <algorithm>

#include "data/pictures.h"

namespace goss::train {

namespace {

// Quantiles k/32 of Beta(1.5, 4), times 65536, by numerical integration; straight lines between.
constexpr uint32_t kQuantiles[33] = {0,     1922,  3119,  4168,  5143,  6074,  6977,  7864,  8742,
                                     9616,  10492, 11372, 12262, 13164, 14083, 15021, 15982, 16971,
                                     17993, 19053, 20158, 21316, 22537, 23833, 25221, 26723, 28371,
                                     30210, 32315, 34818, 37990, 42610, 65535};

// Streams of random numbers of one seed: samples have their number, everything else lies above.
constexpr uint64_t kLabelNoise = uint64_t{1} << 40;

}  // namespace

double draw_difficulty(Random& random) {
  const uint64_t draw = random.next();
  const uint32_t k = static_cast<uint32_t>(draw >> 59);
  const double part = static_cast<double>((draw >> 27) & 0xffffffffu) * 0x1p-32;
  const double below = kQuantiles[k];
  return (below + part * (kQuantiles[k + 1] - below)) * 0x1p-16;
}

Dataset generate(Generated kind, uint64_t seed, size_t first, size_t count) {
  const bool textures = kind == Generated::kTextures;
  Dataset data;
  data.shape = textures ? ImageShape{3, 32, 32} : ImageShape{1, 28, 28};
  data.classes = kind == Generated::kGlyphs47 ? 47 : 10;
  data.pixels.resize(count * data.shape.size());
  data.labels.resize(count);
  data.difficulty.resize(count);
  for (size_t i = 0; i < count; ++i) {
    Random random(seed, first + i);
    const Subject subject{random.below(data.classes), data.classes, draw_difficulty(random)};
    const auto pixels = std::span(data.pixels).subspan(i * data.shape.size(), data.shape.size());
    if (textures) {
      paint_texture(subject, random, pixels);
    } else {
      paint_glyph(subject, random, pixels);
    }
    data.labels[i] = static_cast<uint8_t>(subject.label);
    data.difficulty[i] = static_cast<uint8_t>(subject.difficulty * 255);
  }
  return data;
}

void add_label_noise(Dataset& data, double share, uint64_t seed) {
  for (size_t i = 0; i < data.count(); ++i) {
    Random random(seed, kLabelNoise + i);
    if (random.unit() >= share) continue;
    const uint32_t other = random.below(data.classes - 1);
    data.labels[i] = static_cast<uint8_t>(other + (other >= data.labels[i] ? 1 : 0));
  }
}

}  // namespace goss::train
