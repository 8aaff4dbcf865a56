// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Floating-point formats narrower than fp32, as plain integer arithmetic: the specification that
// the vector kernels of src/reduce and src/quant are tested against. Conversions from fp32 round to
// nearest even, keep subnormals, and turn every NaN into the one canonical quiet NaN. What is too
// large becomes infinity in fp16 and bf16, and the largest finite number in the narrower ones,
// infinities of fp32 included. (e4m3 and the formats below 8 bits have no infinity at all.)
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace goss {

constexpr uint32_t kCanonicalNan32 = 0x7fc00000u;
constexpr uint64_t kCanonicalNan64 = 0x7ff8000000000000u;

enum class Overflow { kInfinity, kSaturate };

// kNanBits is the canonical NaN, kMaxBits the largest finite number; every non-negative pattern
// above kMaxBits is infinity or NaN.
template <int kExponentBits, int kMantissaBits, uint32_t kNanBits, uint32_t kMaxBits,
          Overflow kOverflow>
struct SmallFloat {
  static constexpr int kMantissa = kMantissaBits;
  static constexpr bool kSaturates = kOverflow == Overflow::kSaturate;
  static constexpr int kBits = 1 + kExponentBits + kMantissaBits;
  static constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  static constexpr int kMinExponent = 1 - kBias;  // of normal numbers; subnormals share it
  static constexpr uint32_t kSign = 1u << (kBits - 1);
  static constexpr uint32_t kNan = kNanBits;
  static constexpr uint32_t kMax = kMaxBits;
  // e4m3 spends the top exponent on numbers: what lies above the largest is NaN.
  static constexpr bool kHasInfinity = kMaxBits + 1 == ((1u << kExponentBits) - 1) << kMantissaBits;
  static constexpr uint32_t kInfinity = kMaxBits + 1;

  using Bits = std::conditional_t<kBits == 8, uint8_t, uint16_t>;

  static constexpr bool is_nan(Bits bits) {
    return (bits & ~kSign) > (kHasInfinity ? kInfinity : kMax);
  }

  static constexpr float decode(Bits bits) {
    const uint32_t magnitude = bits & ~kSign;
    const uint32_t sign = (bits & kSign) << (32 - kBits);
    if (is_nan(bits)) return std::bit_cast<float>(kCanonicalNan32);
    if (kHasInfinity && magnitude == kInfinity) return std::bit_cast<float>(sign | 0x7f800000u);
    const uint32_t exponent = magnitude >> kMantissaBits;
    const uint32_t mantissa = magnitude & ((1u << kMantissaBits) - 1);
    if (exponent == 0) {  // mantissa units of the smallest subnormal; exact, also where fp32 is too
      const float value = static_cast<float>(mantissa) * power_of_two(kMinExponent - kMantissaBits);
      return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
    }
    const uint32_t exponent32 = exponent + 127 - kBias;
    return std::bit_cast<float>(sign | exponent32 << 23 | mantissa << (23 - kMantissaBits));
  }

  static constexpr Bits encode(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const uint32_t magnitude = bits & 0x7fffffffu;
    const uint32_t sign = bits >> 31 << (kBits - 1);
    if (magnitude > 0x7f800000u) return static_cast<Bits>(kNan);

    // value = significand * 2^(exponent - 23), also when it is subnormal in fp32.
    const int biased = static_cast<int>(magnitude >> 23);
    const uint32_t significand = (magnitude & 0x7fffffu) | (biased != 0 ? 0x800000u : 0u);
    const int exponent = (biased != 0 ? biased : 1) - 127;

    const int target = exponent > kMinExponent ? exponent : kMinExponent;
    const uint32_t rounded =
        shift_right_to_even(significand, 23 - kMantissaBits + target - exponent);
    // The leading bit of a normal number adds the missing 1 to the exponent field, and a carry out
    // of the rounding does the same once more.
    const uint32_t code = rounded + (static_cast<uint32_t>(target - kMinExponent) << kMantissaBits);
    if (code > kMax) {
      return static_cast<Bits>(sign | (kSaturates ? kMax : kInfinity));
    }
    return static_cast<Bits>(sign | code);
  }

 private:
  static constexpr float power_of_two(int exponent) {  // down to the smallest subnormal
    return exponent >= -126 ? std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23)
                            : std::bit_cast<float>(1u << (exponent + 149));
  }

  static constexpr uint32_t shift_right_to_even(uint32_t value, int shift) {
    if (shift > 25) return 0;  // value < 2^24 is below half a unit
    const uint32_t kept = value >> shift;
    const uint32_t lost = value - (kept << shift);
    const uint32_t half = 1u << shift >> 1;
    return kept + (lost > half || (lost == half && (kept & 1) != 0 && shift != 0) ? 1 : 0);
  }
};

using Float16 = SmallFloat<5, 10, 0x7e00, 0x7bff, Overflow::kInfinity>;
using Bfloat16 = SmallFloat<8, 7, 0x7fc0, 0x7f7f, Overflow::kInfinity>;
using Float8E4m3 = SmallFloat<4, 3, 0x7f, 0x7e, Overflow::kSaturate>;
using Float8E5m2 = SmallFloat<5, 2, 0x7f, 0x7b, Overflow::kSaturate>;

}  // namespace goss
