// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Scales of blocks: from the largest magnitude A to the step D, its bits on the wire and the
// inverse that numbers are multiplied by. The vector kernels compute the same for several blocks at
// once.
//
// A factor f (averages, pre-multiplied sums) costs nothing per element: D is made for |f| * A, and
// the inverse is f / D.
#pragma once

#include <bit>
#include <cstdint>

#include "base/small_float.h"
#include "quant/codec.h"

namespace goss::quant {

constexpr uint32_t kInfinity32 = 0x7f800000u;
constexpr uint32_t kMagnitude32 = 0x7fffffffu;
// Below, a block counts as zero, so that steps, their inverses and products stay normal numbers.
constexpr float kTiny = 0x1p-118f;
constexpr uint16_t kNanScaleBf16 = 0x7fc0u;
constexpr uint8_t kNanScaleE8m0 = 0xffu;
constexpr uint32_t kMaxBf16 = 0x7f7fu;

// By value: through the references of std::max compilers for devices keep numbers in memory.
template <class T>
constexpr T smaller(T a, T b) {
  return b < a ? b : a;
}
template <class T>
constexpr T larger(T a, T b) {
  return a < b ? b : a;
}

constexpr uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }
constexpr float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }
constexpr float canonical(float value) {
  return (bits_of(value) & kMagnitude32) > kInfinity32 ? float_of(kCanonicalNan32) : value;
}

// 1 / limit, rounded up to fp32.
constexpr float inverse_up(float limit) {
  const float inverse = 1.0f / limit;
  return static_cast<double>(inverse) * static_cast<double>(limit) < 1.0
             ? float_of(bits_of(inverse) + 1)
             : inverse;
}

// A positive number as bf16, rounded toward +infinity but not to it.
constexpr uint32_t up_to_bf16(float value) {
  return smaller((bits_of(value) + 0xffffu) >> 16, kMaxBf16);
}

// What a decoder multiplies codes by. Bytes from the wire may be anything: no infinities.
constexpr float step_of_bf16(uint16_t bits) {
  return float_of((bits & 0x7fffu) >= 0x7f80u ? kCanonicalNan32
                                              : static_cast<uint32_t>(bits) << 16);
}
constexpr float step_of_e8m0(uint8_t bits) {  // 2^(bits - 127)
  if (bits == kNanScaleE8m0) return float_of(kCanonicalNan32);
  return float_of(bits == 0 ? 0x00400000u : static_cast<uint32_t>(bits) << 23);
}

// The exponent of a normal number.
constexpr int exponent_of(float value) {
  return static_cast<int>((bits_of(value) & kMagnitude32) >> 23) - 127;
}

struct BlockScale {
  uint32_t bits;  // on the wire
  float inverse;  // 0: all codes are 0
};

// The largest code stands for `limit`. The step is not below |f| * 2^-126, so that the inverse is
// finite.
constexpr BlockScale bf16_scale(float largest, float factor, float limit) {
  const float f = float_of(bits_of(factor) & kMagnitude32);
  const float scaled = largest * f;
  if (!(scaled <= 0x1.fffffep127f)) return {kNanScaleBf16, 0};
  if (scaled < kTiny) return {0, 0};
  const uint32_t bits = up_to_bf16(larger(scaled * inverse_up(limit), f * 0x1p-126f));
  return {bits, factor / float_of(bits << 16)};
}

// Steps are 2^(exponent - kShift); kShift is 6 for MXINT8, whose codes are multiples of 2^-6.
constexpr BlockScale e8m0_scale(float largest, float factor, float limit, int shift, MxScale how) {
  const float scaled = largest * float_of(bits_of(factor) & kMagnitude32);
  if (!(scaled <= 0x1.fffffep127f)) return {kNanScaleE8m0, 0};
  if (scaled < kTiny) return {0, 0};
  const bool up =
      how == MxScale::kUp && (bits_of(scaled) & 0x7fffffu) > (bits_of(limit) & 0x7fffffu);
  const int least = larger(-127, exponent_of(factor) - 126 + shift);
  const int exponent =
      smaller(larger(exponent_of(scaled) - exponent_of(limit) + (up ? 1 : 0), least), 127);
  return {static_cast<uint32_t>(exponent + 127),
          factor * float_of(static_cast<uint32_t>(127 + shift - exponent) << 23)};
}

}  // namespace goss::quant
