// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// sign: one bit per element and, per tile, the mean of the magnitudes, to nearest bf16. Rounding
// is to a sign, so there is nothing to dither. The mean is summed in 16 lanes (element i in lane i
// mod 16) and a fixed tree over the lanes, so that its bits are the same everywhere.
#include "quant/kernels.h"
#include "quant/scalar/tile.h"

namespace goss::quant::scalar {

namespace {

constexpr size_t kLanes = SignFormat::kLanes;

float sum_of(const TileEncode& a) {
  float lanes[kLanes] = {};
  for (size_t i = 0; i < kTile; ++i) lanes[i % kLanes] += SignFormat::term_of(load(a.values, i));
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

void encode(const TileEncode& a) {
  const uint32_t scale = SignFormat::scale_of(sum_of(a), a.count, a.factor);
  store16(a.scales, scale);
  const uint32_t flip = bits_of(a.factor) >> 31;
  for (size_t i = 0; i < kTile; ++i) {
    const bool has_sign = SignFormat::has_signs(scale) && i < a.count;
    put(a.payload, 1, i, has_sign ? bits_of(load(a.values, i)) >> 31 ^ flip : 0);
  }
}

float value_of(const TileBytes& bytes, size_t i) {
  const float step = SignFormat::step_of(load16(bytes.scales));
  return get(bytes.payload, 1, i) != 0 ? -step : step;
}
void decode(const TileBytes& bytes, void* out) {
  for (size_t i = 0; i < kTile; ++i) store(out, i, value_of(bytes, i));
}
void decode_add(const TileBytes& bytes, const void* base, void* out) {
  for (size_t i = 0; i < kTile; ++i) store(out, i, load(base, i) + value_of(bytes, i));
}

constexpr TileKernels kKernels = {encode, encode, decode, decode_add};

}  // namespace

const TileKernels* sign_kernels() { return &kKernels; }

}  // namespace goss::quant::scalar
