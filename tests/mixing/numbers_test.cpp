// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "mixing/numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace goss::mixing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// From the definition: sign, exponent with bias, mantissa.
double fp16_by_definition(int code) {
  const int exponent = code >> 10 & 31;
  const int mantissa = code & 1023;
  const double magnitude = exponent == 31  ? (mantissa == 0 ? kInfinity : std::nan(""))
                           : exponent == 0 ? std::ldexp(mantissa, -24)
                                           : std::ldexp(1024 + mantissa, exponent - 25);
  return (code & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Numbers, DecodeEveryHalfAsDefined) {
  for (int code = 0; code < 65536; ++code) {
    const float value = Float16::decode(static_cast<uint16_t>(code));
    const double expected = fp16_by_definition(code);
    if (std::isnan(expected)) {
      ASSERT_EQ(bits_of(value), kCanonicalNan32) << code;
    } else {
      ASSERT_EQ(value, expected) << code;
      ASSERT_EQ(std::signbit(value), (code & 0x8000) != 0) << code;
    }
  }
}

template <class Format>
void expect_round_to_nearest_even(int largest) {
  for (int code = 0; code < largest; ++code) {
    const float low = Format::decode(static_cast<uint16_t>(code));
    const float high = Format::decode(static_cast<uint16_t>(code + 1));
    ASSERT_EQ(Format::encode(low), code);
    ASSERT_EQ(Format::encode(-low), code | 0x8000);
    const auto middle = static_cast<float>((static_cast<double>(low) + high) / 2);
    ASSERT_EQ(Format::encode(middle), code % 2 == 0 ? code : code + 1) << code;
    ASSERT_EQ(Format::encode(std::nextafter(middle, 0.0f)), code) << code;
    ASSERT_EQ(Format::encode(std::nextafter(middle, kInfinity)), code + 1) << code;
  }
}

TEST(Numbers, RoundToTheNearestAndTiesToEven) {
  expect_round_to_nearest_even<Float16>(0x7bff);
  expect_round_to_nearest_even<Bfloat16>(0x7f7f);
}

TEST(Numbers, BecomeInfinityWhenTooLargeAndOneNan) {
  EXPECT_EQ(Float16::encode(65519.996f), 0x7bff);
  EXPECT_EQ(Float16::encode(65520.0f), 0x7c00);
  EXPECT_EQ(Float16::encode(-kInfinity), 0xfc00);
  EXPECT_EQ(Bfloat16::encode(std::numeric_limits<float>::max()), 0x7f80);
  for (const uint32_t nan : {0x7f800001u, 0xff800001u, 0x7fffffffu, 0xffffffffu}) {
    EXPECT_EQ(Float16::encode(float_of(nan)), 0x7e00);
    EXPECT_EQ(Bfloat16::encode(float_of(nan)), 0x7fc0);
    EXPECT_EQ(Float32::encode(float_of(nan)), kCanonicalNan32);
    EXPECT_EQ(bits_of(Bfloat16::decode(static_cast<uint16_t>(nan >> 16 | 1))), kCanonicalNan32);
  }
}

}  // namespace
}  // namespace goss::mixing
