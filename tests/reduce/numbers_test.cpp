// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The narrow formats against what IEEE 754 and the OCP fp8 specification say: exhaustively over
// codes, and over fp32 values around every code and every midpoint between two, with the nearest
// code found by search in double precision.
#include "reduce/numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "support/test_scale.h"

namespace goss::reduce {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class Format>
class Numbers : public testing::Test {};

using Formats = testing::Types<Float16, Bfloat16, Float8E4m3, Float8E5m2>;
class FormatNames {
 public:
  template <class Format>
  static std::string GetName(int index) {
    const char* const names[] = {"fp16", "bf16", "e4m3", "e5m2"};
    return names[index];
  }
};
TYPED_TEST_SUITE(Numbers, Formats, FormatNames);

// The value of a code by its definition, without SmallFloat's arithmetic.
template <class Format>
double value_of(uint32_t code) {
  const uint32_t magnitude = code & (Format::kSign - 1);
  const int exponent = static_cast<int>(magnitude >> Format::kMantissa);
  const double fraction = std::ldexp(magnitude % (1u << Format::kMantissa), -Format::kMantissa);
  const double value = exponent == 0 ? std::ldexp(fraction, 1 - Format::kBias)
                                     : std::ldexp(1 + fraction, exponent - Format::kBias);
  return (code & Format::kSign) != 0 ? -value : value;
}

// The magnitude of the nearest code, ties to the even one; kMax + 1 stands for "too large".
template <class Format>
uint32_t nearest(double magnitude) {
  uint32_t low = 0;
  uint32_t high = Format::kMax + 1;
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (value_of<Format>(middle) <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - value_of<Format>(low);
  const double above = value_of<Format>(high) - magnitude;
  return below < above || (below == above && low % 2 == 0) ? low : high;
}

template <class Format>
void expect_encoded(float value) {
  const double magnitude = std::fabs(static_cast<double>(value));
  uint32_t code = std::isinf(value) ? Format::kMax + 1 : nearest<Format>(magnitude);
  if (code > Format::kMax) code = Format::kSaturates ? Format::kMax : Format::kInfinity;
  if (std::signbit(value)) code |= Format::kSign;
  if (std::isnan(value)) code = Format::kNan;
  ASSERT_EQ(Format::encode(value), code) << value;
}

TYPED_TEST(Numbers, EveryCodeHasItsValue) {
  for (uint32_t code = 0; code < 1u << TypeParam::kBits; ++code) {
    const float value = TypeParam::decode(static_cast<typename TypeParam::Bits>(code));
    const uint32_t magnitude = code & (TypeParam::kSign - 1);
    if (magnitude <= TypeParam::kMax) {
      ASSERT_EQ(static_cast<double>(value), value_of<TypeParam>(code)) << code;
      ASSERT_EQ(std::signbit(value), (code & TypeParam::kSign) != 0) << code;
    } else if (TypeParam::kHasInfinity && magnitude == TypeParam::kInfinity) {
      ASSERT_EQ(value, (code & TypeParam::kSign) != 0 ? -kInfinity : kInfinity);
    } else {
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof(bits));
      ASSERT_EQ(bits, kCanonicalNan32) << code;
    }
  }
}

TYPED_TEST(Numbers, EveryCodeSurvivesTheWayToFp32AndBack) {
  for (uint32_t code = 0; code < 1u << TypeParam::kBits; ++code) {
    const auto bits = static_cast<typename TypeParam::Bits>(code);
    const uint32_t magnitude = code & (TypeParam::kSign - 1);
    uint32_t expected = code;
    if (TypeParam::is_nan(bits)) expected = TypeParam::kNan;
    // An fp8 infinity does not survive: conversions saturate.
    if (magnitude > TypeParam::kMax && !TypeParam::is_nan(bits) && TypeParam::kSaturates) {
      expected = (code & TypeParam::kSign) | TypeParam::kMax;
    }
    ASSERT_EQ(TypeParam::encode(TypeParam::decode(bits)), expected) << code;
  }
}

TYPED_TEST(Numbers, ValuesAroundEveryCodeAndMidpointRoundToTheNearestEven) {
  for (uint32_t code = 0; code <= TypeParam::kMax; ++code) {
    const double here = value_of<TypeParam>(code);
    const double next = value_of<TypeParam>(code + 1);
    for (const double exact : {here, (here + next) / 2}) {
      const auto middle = static_cast<float>(exact);
      for (const float value :
           {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, kInfinity)}) {
        expect_encoded<TypeParam>(value);
        expect_encoded<TypeParam>(-value);
      }
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Numbers, RandomAndSpecialFp32RoundToTheNearestEven) {
  std::mt19937 random(7);
  for (int i = 0; i < test_scale(1000000, 20000); ++i) {
    const auto bits = static_cast<uint32_t>(random());
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    expect_encoded<TypeParam>(value);
    if (testing::Test::HasFatalFailure()) return;
  }
  const float limit = std::numeric_limits<float>::max();
  const float tiny = std::numeric_limits<float>::denorm_min();
  for (const float value : {0.0f, tiny, limit, kInfinity, std::nanf("")}) {
    expect_encoded<TypeParam>(value);
    expect_encoded<TypeParam>(-value);
  }
}

TEST(Numbers, LandmarksOfTheFormatsAreWhereTheirSpecificationsSay) {
  EXPECT_EQ(Float16::decode(0x7bff), 65504.0f);
  EXPECT_EQ(Float16::decode(0x0001), std::ldexp(1.0f, -24));
  EXPECT_EQ(Float16::encode(65519.0f), 0x7bff);
  EXPECT_EQ(Float16::encode(65520.0f), 0x7c00);
  EXPECT_EQ(Bfloat16::decode(0x0001), std::ldexp(1.0f, -133));
  EXPECT_EQ(Bfloat16::encode(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(Float8E4m3::decode(0x7e), 448.0f);
  EXPECT_EQ(Float8E4m3::decode(0x01), std::ldexp(1.0f, -9));
  EXPECT_TRUE(std::isnan(Float8E4m3::decode(0xff)));
  EXPECT_EQ(Float8E4m3::encode(1e9f), 0x7e);
  EXPECT_EQ(Float8E4m3::encode(-kInfinity), 0xfe);
  EXPECT_EQ(Float8E5m2::decode(0x7b), 57344.0f);
  EXPECT_EQ(Float8E5m2::decode(0x7c), kInfinity);
  EXPECT_EQ(Float8E5m2::decode(0x01), std::ldexp(1.0f, -16));
  EXPECT_EQ(Float8E5m2::encode(65536.0f), 0x7b);
  EXPECT_EQ(Float8E5m2::encode(kInfinity), 0x7b);
}

}  // namespace
}  // namespace goss::reduce
