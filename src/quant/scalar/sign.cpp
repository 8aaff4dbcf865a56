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

constexpr size_t kLanes = 16;

// 2^-10 per element instead of at the end: sums cannot overflow.
float mean_of(const TileEncode& a) {
  float lanes[kLanes] = {};
  for (size_t i = 0; i < kTile; ++i) {
    lanes[i % kLanes] += float_of(bits_of(load(a.values, i)) & kMagnitude32) * 0x1p-10f;
  }
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0] / (static_cast<float>(a.count) * 0x1p-10f);
}

void encode(const TileEncode& a) {
  const float mean = mean_of(a) * float_of(bits_of(a.factor) & kMagnitude32);
  const bool finite = mean <= 0x1.fffffep127f;
  const bool kept = finite && mean >= kTiny;
  const uint32_t bits = kept     ? std::min<uint32_t>(Bfloat16::encode(mean), kMaxBf16)
                        : finite ? 0u
                                 : kNanScaleBf16;
  store16(a.scales, bits);
  const uint32_t flip = bits_of(a.factor) >> 31;
  for (size_t i = 0; i < kTile; ++i) {
    put(a.payload, 1, i, kept && i < a.count ? bits_of(load(a.values, i)) >> 31 ^ flip : 0);
  }
}

float value_of(const TileBytes& bytes, size_t i) {
  const float step = step_of_bf16(load16(bytes.scales));
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
