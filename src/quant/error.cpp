// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A block's scale D bounds its error by a constant times D. The constant is 1 + 2^-14 times the
// ideal one: numbers are divided by D in fp32, which moves quotients by up to 2^-23 of themselves.
// A NaN block makes bound and noise infinite.
#include "quant/error.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/scales.h"

namespace goss::quant {

namespace {

constexpr float kSlack = 1 + 0x1p-14f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Factors {
  float bound;
  float bound_saturated;  // where magnitudes may have been above the largest code's
  float noise;
};

Factors factors_of(const ErrorFacts& facts, Rounding rounding) {
  const bool nearest = rounding == Rounding::kNearest;
  const float bound = nearest ? facts.bound : 2 * facts.bound;
  return {bound * kSlack, std::max(bound, facts.saturation) * kSlack,
          nearest ? facts.noise : facts.noise_stochastic};
}

float or_infinity(float step) {
  const float magnitude = std::fabs(step);
  return magnitude <= std::numeric_limits<float>::max() ? magnitude : kInfinity;
}

uint16_t word(const uint8_t* bytes) { return static_cast<uint16_t>(bytes[0] | bytes[1] << 8); }

// The largest number of a block of bf16 or fp16.
float cast_largest(Codec codec, const uint8_t* payload, size_t count) {
  int16_t codes[kBlock] = {};
  std::memcpy(codes, payload, 2 * count);
  int16_t largest = 0;
  for (int16_t code : codes) {
    largest = std::max(largest, static_cast<int16_t>(code & 0x7fff));  // by magnitude, NaN on top
  }
  const auto bits = static_cast<uint16_t>(largest);
  return or_infinity(codec == Codec::kBf16 ? Bfloat16::decode(bits) : Float16::decode(bits));
}

// Of 32 normally distributed numbers: the expected square of the largest magnitude in variances.
constexpr double kLargestSquare = 5.72;

float scale_of(const Shape& shape, const TileBytes& bytes, size_t block) {
  if (shape.scale == Scale::kBf16) return or_infinity(step_of_bf16(word(bytes.scales + 2 * block)));
  if (shape.scale == Scale::kE8m0) return or_infinity(step_of_e8m0(bytes.scales[block]));
  return or_infinity(step_of_bf16(word(bytes.scales)));
}

}  // namespace

void TileError::add(Codec codec, Rounding rounding, MxScale mx_scale, const TileBytes& bytes,
                    size_t count) {
  const CodecInfo& info = codec_info(codec);
  const Factors factors = factors_of(info.error, rounding);
  const bool mx = info.shape.scale == Scale::kE8m0;
  // What a block below 2^-118 may have been: of sign, 1,024 times its mean.
  const float vanished = info.shape.scale == Scale::kMean ? kTile * kTiny : kTiny;
  for (size_t block = 0; block * kBlock < count; ++block) {
    const size_t elements = std::min(kBlock, count - block * kBlock);
    if (info.shape.scale == Scale::kNone) {
      const float largest = cast_largest(codec, bytes.payload + 2 * kBlock * block, elements);
      // Subnormals have the unit of the smallest normal number.
      const float least = codec == Codec::kFp16 ? 0x1p-14f : 0x1p-126f;
      bounds[block] += factors.bound * std::max(largest, least);
      noise += factors.noise / kLargestSquare * static_cast<double>(elements) * largest * largest;
    } else {
      const float scale = scale_of(info.shape, bytes, block);
      // There is no step above 2^127, which is too small for the largest numbers in mxint8.
      const bool saturated = mx && (mx_scale == MxScale::kFloor || bytes.scales[block] == 254);
      const float bound = (saturated ? factors.bound_saturated : factors.bound) * scale;
      // Zero blocks of E8M0 have the smallest scale.
      const bool may_be_zero = mx ? bytes.scales[block] == 0 : scale == 0;
      bounds[block] += or_infinity(info.error.largest * scale) == kInfinity
                           ? kInfinity  // numbers may have become infinite by rounding up
                           : std::max(bound, may_be_zero ? vanished : 0.0f);
      noise += static_cast<double>(elements) * factors.noise * scale * scale;
    }
  }
}

void TileError::take_larger(const TileError& other) {
  for (size_t i = 0; i < kBlocksPerTile; ++i) bounds[i] = std::max(bounds[i], other.bounds[i]);
  noise = std::max(noise, other.noise);
}

void TileError::add_to(Figures* figures) const {
  for (const float bound : bounds) {
    figures->bound = std::max(figures->bound, static_cast<double>(bound));
  }
  figures->noise += noise;
}

}  // namespace goss::quant
