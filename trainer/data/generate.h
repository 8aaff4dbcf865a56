// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Generated data sets, for trying things without any download: written glyphs and colour textures.
// They are what they are called, not MNIST and not CIFAR. Every sample has a difficulty that scales
// all its distortions, so a few samples are hard and most are easy; the hardest show traces of
// another class. Sample i is a function of (seed, i) alone, byte-identical on every machine.
#pragma once

#include "data/dataset.h"

namespace goss::train {

enum class Generated {
  kGlyphs,    // 28 x 28 grey, the ten digits
  kGlyphs47,  // 28 x 28 grey, digits, capitals and 11 small letters
  kTextures,  // 32 x 32 colour, ten kinds of pattern
};

// Samples `first` to `first + count` of the endless sequence of `seed`.
Dataset generate(Generated kind, uint64_t seed, size_t first, size_t count);

// Replaces the labels of about `share` of the samples by another class at random.
void add_label_noise(Dataset& data, double share, uint64_t seed);

// Changes whenever the samples of a seed change: part of the names of cached files.
inline constexpr int kGeneratorVersion = 1;

}  // namespace goss::train
