// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What encoding did to numbers, told from the scales alone: whoever holds the bytes of all
// contributions can say how far the result is from the exact one without a second pass over the
// numbers.
#pragma once

#include "quant/registry.h"

namespace goss::quant {

struct Figures {
  double bound = 0;  // no element is further off; infinity where nothing can be said
  double noise = 0;  // expected sum of squared errors, of numbers like normally distributed ones
};

// The errors of one tile, block by block. Additive over the contributions to a sum: bounds add up,
// and so does the noise of independent errors.
struct TileError {
  float bounds[kBlocksPerTile] = {};
  double noise = 0;

  // `blocks` of the tile hold the `count` elements.
  void add(Codec codec, Rounding rounding, MxScale mx_scale, const TileBytes& bytes, size_t count);
  // For minima and maxima: the result is as far off as the worst contribution.
  void take_larger(const TileError& other);
  void add_to(Figures* figures) const;
};

}  // namespace goss::quant
