// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Where the bytes of a tile stand in a buffer of encoded elements; docs/wire-format.md in words.
#pragma once

#include "quant/scales.h"

namespace goss::quant {

// Bits of a code in the low plane; the rest is in the high one. See Shape::plane_bytes().
constexpr int low_bits(int code_bits) {
  return code_bits == 6 || code_bits == 5 ? 4 : code_bits == 3 ? 2 : code_bits;
}

struct Place {
  size_t scales;   // bytes from the beginning of the buffer
  size_t payload;  // likewise
  size_t blocks;   // of this tile; only the last tile may have less than kBlocksPerTile
};

// Of the tile that begins with element `first`, in a buffer of `count` elements.
constexpr Place place_of(const Shape& shape, size_t count, size_t first) {
  const size_t first_of_unit = first / shape.unit() * shape.unit();
  const size_t in_unit = smaller(shape.unit(), count - first_of_unit);
  const size_t tile = (first - first_of_unit) / kTile;
  const size_t blocks = (smaller(kTile, count - first) + kBlock - 1) / kBlock;
  if (shape.scale == Scale::kMean) {
    const size_t tiles = (in_unit + kTile - 1) / kTile;
    const size_t base = first_of_unit / kTile * 2 + first_of_unit / kBlock * 4;
    return {base + 2 * tile, base + 2 * tiles + shape.payload_bytes(kBlocksPerTile) * tile, blocks};
  }
  const size_t base =
      shape.scale_bytes(first_of_unit / kBlock) + shape.payload_bytes(first_of_unit / kBlock);
  return {base, base + shape.scale_bytes(blocks), blocks};
}

}  // namespace goss::quant
