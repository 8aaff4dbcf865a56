// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// fp16 and bf16 as plain integer arithmetic: the specification that the vector kernels are tested
// against. Conversions from fp32 round to nearest even, keep subnormals, turn what is too large
// into infinity and every NaN into the one canonical quiet NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace goss::mixing {

constexpr uint32_t kCanonicalNan32 = 0x7fc00000u;
constexpr uint64_t kCanonicalNan64 = 0x7ff8000000000000u;
constexpr uint32_t kInfinity32 = 0x7f800000u;
constexpr uint32_t kMagnitude32 = 0x7fffffffu;

inline uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }
inline float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }
inline bool is_nan(uint32_t bits) { return (bits & kMagnitude32) > kInfinity32; }

struct Float32 {
  using Bits = uint32_t;
  static float decode(Bits bits) { return float_of(bits); }
  static Bits encode(float value) {
    return is_nan(bits_of(value)) ? kCanonicalNan32 : bits_of(value);
  }
};

// The upper half of an fp32.
struct Bfloat16 {
  using Bits = uint16_t;
  static float decode(Bits bits) {
    return float_of(is_nan(static_cast<uint32_t>(bits) << 16) ? kCanonicalNan32
                                                              : static_cast<uint32_t>(bits) << 16);
  }
  static Bits encode(float value) {
    const uint32_t bits = is_nan(bits_of(value)) ? kCanonicalNan32 : bits_of(value);
    return static_cast<Bits>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
  }
};

// 1 sign, 5 exponent and 10 mantissa bits; the exponent's bias is 15 instead of fp32's 127.
struct Float16 {
  using Bits = uint16_t;
  static constexpr int kDropped = 13;              // mantissa bits that fp32 has more
  static constexpr uint32_t kRebias = 112u << 23;  // 127 - 15
  static constexpr uint32_t kSmallestNormal = 113u << 23;
  static constexpr uint32_t kOverflow = 143u << 23;  // 2^16, beyond the largest number

  static float decode(Bits bits) {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    const uint32_t magnitude = bits & 0x7fffu;
    if (magnitude > 0x7c00u) return float_of(kCanonicalNan32);
    if (magnitude == 0x7c00u) return float_of(sign | kInfinity32);
    if (magnitude < 0x400u) {  // in units of 2^-24, exact
      return float_of(sign | bits_of(static_cast<float>(magnitude) * 0x1p-24f));
    }
    return float_of(sign | ((magnitude << kDropped) + kRebias));
  }

  static Bits encode(float value) {
    const uint32_t magnitude = bits_of(value) & kMagnitude32;
    if (magnitude > kInfinity32) return 0x7e00u;
    const uint32_t sign = bits_of(value) >> 16 & 0x8000u;
    if (magnitude >= kOverflow) return static_cast<Bits>(sign | 0x7c00u);
    if (magnitude < kSmallestNormal) {
      // The adder rounds: the last place of 0.5 + |value| is 2^-24, the smallest subnormal.
      const uint32_t units = bits_of(0.5f + float_of(magnitude)) - bits_of(0.5f);
      return static_cast<Bits>(sign | units);
    }
    const uint32_t odd = magnitude >> kDropped & 1;
    return static_cast<Bits>(sign | (magnitude - kRebias + 0xfffu + odd) >> kDropped);
  }
};

template <class Format>
float load_element(const void* base, size_t index) {  // any alignment
  typename Format::Bits bits;
  std::memcpy(&bits, static_cast<const char*>(base) + index * sizeof bits, sizeof bits);
  return Format::decode(bits);
}

template <class Format>
void store_element(void* base, size_t index, float value) {
  const typename Format::Bits bits = Format::encode(value);
  std::memcpy(static_cast<char*>(base) + index * sizeof bits, &bits, sizeof bits);
}

}  // namespace goss::mixing
