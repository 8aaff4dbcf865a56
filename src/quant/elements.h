// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The arithmetic of codes: a number that was multiplied by the inverse of its block's step becomes
// a code, and a code a number. Written once for scalar/ and gpu/: constexpr functions are functions
// of devices too. The vector kernels of simd/ are tested against it.
//
// `dither` is what dither_of() gives for the element; nearest rounding does not look at it.
#pragma once

#include <cstdint>

#include "quant/philox.h"
#include "quant/scales.h"

namespace goss::quant {

// To the nearest integer, ties to even; |y| < 2^22. The adder rounds at 1.5 * 2^23's last place.
constexpr float kRoundingMagic = 0x1.8p23f;
constexpr float round_to_even(float y) { return (y + kRoundingMagic) - kRoundingMagic; }
constexpr float round_down(float t) {
  const auto toward_zero = static_cast<float>(static_cast<int32_t>(t));
  return toward_zero > t ? toward_zero - 1 : toward_zero;
}

template <Rounding kRounding>
constexpr float round_number(float y, uint32_t dither) {
  if constexpr (kRounding == Rounding::kNearest) return round_to_even(y);
  return round_down(y + unit_dither(dither));
}

// int8 to int2 and MXINT8: the nearest multiple of the step, in two's complement. The codes
// -2^(b-1) are not used, so that the range is the same on both sides. kFraction: bits behind the
// binary point, 6 for MXINT8.
template <int kCodeBits, int kFraction = 0>
struct Integer {
  static constexpr int kBits = kCodeBits;
  static constexpr int kShift = kFraction;  // codes are multiples of 2^-kShift
  static constexpr float kLargest = static_cast<float>((1 << (kBits - 1)) - 1);
  static constexpr float kLimit = kLargest / static_cast<float>(1 << kFraction);

  template <Rounding kRounding>
  static constexpr uint32_t encode(float y, uint32_t dither) {
    const float q = smaller(larger(round_number<kRounding>(y, dither), -kLargest), kLargest);
    // The low bits of 1.5 * 2^23 + q are those of q.
    return bits_of(q + kRoundingMagic) & ((1u << kBits) - 1);
  }
  static constexpr float decode(uint32_t code) {
    constexpr int kSign = 1 << (kBits - 1);
    return static_cast<float>((static_cast<int>(code) ^ kSign) - kSign);
  }
};

// fp8 and the MX formats of 8, 6 and 4 bits: a small float of the OCP specifications (not FNUZ).
// Larger magnitudes than the largest number become it; a number that rounds to zero has no sign;
// NaNs and infinities of the formats are never written.
template <class Format>
struct Floating {
  static constexpr int kBits = Format::kBits;
  static constexpr int kShift = 0;
  static constexpr float kLimit = Format::decode(Format::kMax);

  // In units of the last place, which are 2^(exponent - mantissa bits); subnormals share the
  // smallest exponent. A carry out of the mantissa goes into the exponent, as it should.
  template <Rounding kRounding>
  static constexpr uint32_t encode(float y, uint32_t dither) {
    const float magnitude = float_of(bits_of(y) & kMagnitude32);
    const int exponent = larger(exponent_of(magnitude), Format::kMinExponent);
    const float units =
        magnitude * float_of(static_cast<uint32_t>(127 + Format::kMantissa - exponent) << 23);
    const auto rounded = static_cast<uint32_t>(round_number<kRounding>(units, dither));
    const uint32_t code = smaller(
        rounded + (static_cast<uint32_t>(exponent - Format::kMinExponent) << Format::kMantissa),
        Format::kMax);
    return code == 0 ? 0 : code | (bits_of(y) >> 31 << (kBits - 1));
  }
  static constexpr float decode(uint32_t code) {
    return Format::decode(static_cast<typename Format::Bits>(code));
  }
};

using Float6E2m3 = SmallFloat<2, 3, 0x1f, 0x1f, Overflow::kSaturate>;
using Float6E3m2 = SmallFloat<3, 2, 0x1f, 0x1f, Overflow::kSaturate>;
using Float4E2m1 = SmallFloat<2, 1, 0x7, 0x7, Overflow::kSaturate>;

// bf16 and fp16: every number by itself, without scales. Too large numbers become infinity,
// infinities and NaNs stay (every NaN as the canonical one), subnormals too.
template <class Format>
struct Cast {
  static constexpr int kBits = 16;

  template <Rounding kRounding>
  static constexpr uint32_t encode(float value, uint32_t dither) {
    if constexpr (kRounding == Rounding::kNearest) return Format::encode(value);
    return stochastic(value, dither);
  }
  static constexpr float decode(uint32_t code) {
    return Format::decode(static_cast<typename Format::Bits>(code));
  }

 private:
  // The magnitude in units of the last place, plus the dither, rounded down.
  static constexpr uint32_t stochastic(float value, uint32_t dither) {
    const float magnitude = float_of(bits_of(value) & kMagnitude32);
    if (!(magnitude <= 0x1.fffffep127f)) return Format::encode(value);
    const int exponent = larger(exponent_of(magnitude), Format::kMinExponent);
    // As integers, because bf16 has all exponents of fp32: 2^-shift of the significand is a unit.
    const uint32_t biased = bits_of(magnitude) >> 23;
    const uint64_t significand = (bits_of(magnitude) & 0x7fffffu) | (biased != 0 ? 0x800000u : 0u);
    const int own_exponent = biased != 0 ? exponent_of(magnitude) : -126;
    const int shift = 23 - Format::kMantissa + exponent - own_exponent;
    // In 2^-17 of a unit: the dither is (r + 0.5) / 65536.
    const uint64_t scaled =
        shift > 60 ? 0 : (shift <= 17 ? significand << (17 - shift) : significand >> (shift - 17));
    const auto units = static_cast<uint32_t>((scaled + 2 * dither + 1) >> 17);
    const uint32_t code = smaller(
        units + (static_cast<uint32_t>(exponent - Format::kMinExponent) << Format::kMantissa),
        Format::kInfinity);
    return code | (bits_of(value) >> 31 << 15);
  }
};

// ---- numbers ------------------------------------------------------------------------------------
// Minimum and maximum: a NaN on either side stays, and -0 < +0.

constexpr bool is_below(float a, float b) {
  return a < b || (a == b && (bits_of(a) >> 31) > (bits_of(b) >> 31));
}
constexpr bool either_nan(float a, float b) { return a != a || b != b; }
constexpr float lesser(float a, float b) {
  return either_nan(a, b) ? float_of(kCanonicalNan32) : is_below(b, a) ? b : a;
}
constexpr float greater(float a, float b) {
  return either_nan(a, b) ? float_of(kCanonicalNan32) : is_below(a, b) ? b : a;
}

}  // namespace goss::quant
