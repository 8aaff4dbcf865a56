// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Dithers from Philox4x32-7: one call serves the 16-bit dithers of 8 neighbouring elements, so a
// dither depends on the place of its element in the whole vector and on nothing else.
#pragma once

#include <cstdint>

#include "base/philox.h"
#include "quant/codec.h"

namespace goss::quant {

constexpr int kPhiloxRounds = 7;

struct PhiloxKey {
  uint32_t k0, k1;  // change from round to round
  uint32_t c2, c3;  // the constant half of the counter
};

constexpr PhiloxKey philox_key(const Dither& dither) {
  return {static_cast<uint32_t>(dither.seed),
          static_cast<uint32_t>(dither.seed >> 32) ^ static_cast<uint32_t>(dither.step >> 32),
          static_cast<uint32_t>(dither.step), dither.rank};
}

// The dithers of the elements 8 * call to 8 * call + 7 of the whole vector, two in a word.
constexpr std::array<uint32_t, 4> dither_words(const Dither& dither, uint64_t call) {
  const PhiloxKey key = philox_key(dither);
  return philox<kPhiloxRounds>(
      {static_cast<uint32_t>(call), static_cast<uint32_t>(call >> 32), key.c2, key.c3},
      {key.k0, key.k1});
}
// Of one element: 0..65535, which stands for u = (r + 0.5) / 65536.
constexpr uint32_t dither_of(const Dither& dither, uint64_t element) {
  return dither_words(dither, element / 8)[element % 8 / 2] >> (element % 2 * 16) & 0xffffu;
}
constexpr float unit_dither(uint32_t r) {  // exact
  return (static_cast<float>(r) + 0.5f) * 0x1p-16f;
}

}  // namespace goss::quant
