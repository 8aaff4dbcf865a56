// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The scalar specification against an independent one: 128-bit integers, long double with error
// bounds, and the cases that gossRedOp_t mentions, spelled out by their bits.
#include <cmath>
#include <limits>
#include <type_traits>

#include "reduce/numbers.h"
#include "reduce_cases.h"
#include "support/test_scale.h"

namespace goss::reduce {
namespace {

template <class T>
T reduce_values(DataType type, RedOp op, const std::vector<T>& values, int divisor = 1) {
  std::vector<const void*> sources;
  for (const T& value : values) sources.push_back(&value);
  T result{};
  scalar_kernel(type, op)({.dst = &result,
                           .sources = sources.data(),
                           .nsources = sources.size(),
                           .count = 1,
                           .divisor = divisor});
  return result;
}

template <class T>
constexpr DataType integer_type() {
  if (sizeof(T) == 1) return std::is_signed_v<T> ? gossInt8 : gossUint8;
  if (sizeof(T) == 4) return std::is_signed_v<T> ? gossInt32 : gossUint32;
  return std::is_signed_v<T> ? gossInt64 : gossUint64;
}

// A few small values keep 128 bits exact: products of three 64-bit numbers would not fit.
template <class T>
__int128 exact(RedOp op, const std::vector<T>& values) {
  __int128 result = values[0];
  for (size_t i = 1; i < values.size(); ++i) {
    const __int128 next = values[i];
    if (op == gossSum || op == gossAvg) result += next;
    if (op == gossProd) result = static_cast<T>(static_cast<unsigned __int128>(result * next));
    if (op == gossMin && next < result) result = next;
    if (op == gossMax && next > result) result = next;
  }
  return result;
}

template <class T>
class ScalarIntegers : public testing::Test {};
using IntegerTypes = testing::Types<int8_t, uint8_t, int32_t, uint32_t, int64_t, uint64_t>;
TYPED_TEST_SUITE(ScalarIntegers, IntegerTypes);

TYPED_TEST(ScalarIntegers, AgreeWithWiderArithmeticReducedToTheType) {
  constexpr DataType kType = integer_type<TypeParam>();
  Random random(3);
  for (int round = 0; round < test_scale(20000, 2000); ++round) {
    const size_t count = 1 + random() % 6;
    const auto bytes = random_elements(kType, count, random);
    std::vector<TypeParam> values(count);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    for (const RedOp op : {gossSum, gossProd, gossMin, gossMax}) {
      ASSERT_EQ(reduce_values(kType, op, values), static_cast<TypeParam>(exact(op, values)))
          << op_name(op);
    }
    const int divisor = static_cast<int>(1 + random() % 300);
    // The sum wraps around before it is divided.
    const __int128 wrapped = static_cast<TypeParam>(exact(gossAvg, values));
    ASSERT_EQ(reduce_values(kType, gossAvg, values, divisor),
              static_cast<TypeParam>(wrapped / divisor));
  }
}

TEST(Scalar, IntegerAveragesTruncateTowardsZero) {
  EXPECT_EQ(reduce_values<int32_t>(gossInt32, gossAvg, {-3, -4}, 2), -3);
  EXPECT_EQ(reduce_values<int32_t>(gossInt32, gossAvg, {3, 4}, 2), 3);
  EXPECT_EQ(reduce_values<int8_t>(gossInt8, gossAvg, {127, 1}, 2), -64);
  EXPECT_EQ(reduce_values<uint8_t>(gossUint8, gossAvg, {255, 1}, 2), 0);
  EXPECT_EQ(reduce_values<int64_t>(gossInt64, gossAvg, {std::numeric_limits<int64_t>::min(), 0}, 1),
            std::numeric_limits<int64_t>::min());
}

TEST(Scalar, FloatSumsAreLeftFoldsInSourceOrder) {
  // (1e8 + 1) + -1e8 loses the 1 in fp32; 1e8 + -1e8 + 1 does not.
  EXPECT_EQ(reduce_values<float>(gossFloat32, gossSum, {1e8f, 1.0f, -1e8f}), 0.0f);
  EXPECT_EQ(reduce_values<float>(gossFloat32, gossSum, {1e8f, -1e8f, 1.0f}), 1.0f);
}

TEST(Scalar, FloatSumsStayWithinTheErrorBoundOfTheFold) {
  Random random(11);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int round = 0; round < test_scale(20000, 2000); ++round) {
    std::vector<float> narrow(1 + random() % 12);
    std::vector<double> wide(narrow.size());
    long double sum = 0;
    long double sum_wide = 0;
    for (size_t i = 0; i < narrow.size(); ++i) {
      wide[i] = uniform(random);
      narrow[i] = static_cast<float>(wide[i]);
      sum += narrow[i];
      sum_wide += wide[i];
    }
    const auto terms = static_cast<long double>(narrow.size() * narrow.size());
    ASSERT_LE(std::fabs(reduce_values(gossFloat32, gossSum, narrow) - sum), terms * 0x1p-24L);
    ASSERT_LE(std::fabs(reduce_values(gossFloat64, gossSum, wide) - sum_wide), terms * 0x1p-53L);
  }
}

TEST(Scalar, FloatAveragesMultiplyByTheRoundedReciprocal) {
  EXPECT_EQ(reduce_values<float>(gossFloat32, gossAvg, {5.0f, 5.0f}, 3), 10.0f * (1.0f / 3.0f));
  EXPECT_EQ(reduce_values<double>(gossFloat64, gossAvg, {5.0, 5.0}, 3), 10.0 * (1.0 / 3.0));
  EXPECT_EQ(reduce_values<uint16_t>(gossFloat16, gossAvg, {0x4500, 0x4500}, 3),
            Float16::encode(10.0f * (1.0f / 3.0f)));
}

TEST(Scalar, NarrowFloatsAreRoundedOnceForAllSources) {
  // 2048 + 1 + 1 in fp16: rounded at each step it would stay 2048.
  EXPECT_EQ(reduce_values<uint16_t>(gossFloat16, gossSum, {0x6800, 0x3c00, 0x3c00}), 0x6801);
  // 256 + 1 + 1 in bf16; 65504 + 65504 - 65504 in fp16 does not pass through infinity.
  EXPECT_EQ(reduce_values<uint16_t>(gossBfloat16, gossSum, {0x4380, 0x3f80, 0x3f80}), 0x4381);
  EXPECT_EQ(reduce_values<uint16_t>(gossFloat16, gossSum, {0x7bff, 0x7bff, 0xfbff}), 0x7bff);
  // 448 + 448 in e4m3 and 57344 * 2 in e5m2 saturate.
  EXPECT_EQ(reduce_values<uint8_t>(gossFloat8e4m3, gossSum, {0x7e, 0x7e}), 0x7e);
  EXPECT_EQ(reduce_values<uint8_t>(gossFloat8e5m2, gossProd, {0xfb, 0x40}), 0xfb);
}

// The five patterns that matter, per floating-point type.
struct FloatPatterns {
  DataType type;
  uint64_t sign, one, infinity, canonical, other_nan;
};
constexpr FloatPatterns kFloats[] = {
    {gossFloat16, 0x8000, 0x3c00, 0x7c00, 0x7e00, 0xfd01},
    {gossBfloat16, 0x8000, 0x3f80, 0x7f80, 0x7fc0, 0xff81},
    {gossFloat32, 0x80000000, 0x3f800000, 0x7f800000, 0x7fc00000, 0xff800001},
    {gossFloat64, uint64_t{1} << 63, uint64_t{0x3ff} << 52, uint64_t{0x7ff} << 52,
     uint64_t{0x7ff8} << 48, (uint64_t{0xfff} << 52) + 1},
    {gossFloat8e4m3, 0x80, 0x38, 0, 0x7f, 0xff},
    {gossFloat8e5m2, 0x80, 0x3c, 0x7c, 0x7f, 0xfd},
};

uint64_t reduce_bits(DataType type, RedOp op, uint64_t a, uint64_t b) {
  const void* sources[] = {&a, &b};  // the first bytes, on a little-endian machine
  uint64_t result = 0;
  scalar_kernel(type,
                op)({.dst = &result, .sources = sources, .nsources = 2, .count = 1, .divisor = 2});
  return result;
}

TEST(Scalar, EveryNanResultIsTheCanonicalOne) {
  for (const FloatPatterns& f : kFloats) {
    SCOPED_TRACE(type_name(f.type));
    for (const RedOp op : {gossSum, gossProd, gossAvg}) {
      EXPECT_EQ(reduce_bits(f.type, op, f.other_nan, f.one), f.canonical);
      EXPECT_EQ(reduce_bits(f.type, op, f.one, f.other_nan), f.canonical);
    }
    for (const RedOp op : {gossMin, gossMax}) {
      EXPECT_EQ(reduce_bits(f.type, op, f.other_nan, f.other_nan), f.canonical);
    }
    if (f.infinity != 0) {
      EXPECT_EQ(reduce_bits(f.type, gossSum, f.infinity, f.infinity | f.sign), f.canonical);
      EXPECT_EQ(reduce_bits(f.type, gossProd, f.infinity, 0), f.canonical);
    }
  }
}

TEST(Scalar, MinimumAndMaximumPreferNumbersAndOrderZeros) {
  for (const FloatPatterns& f : kFloats) {
    SCOPED_TRACE(type_name(f.type));
    for (const RedOp op : {gossMin, gossMax}) {
      EXPECT_EQ(reduce_bits(f.type, op, f.other_nan, f.one), f.one);
      EXPECT_EQ(reduce_bits(f.type, op, f.one, f.other_nan), f.one);
    }
    for (const bool swapped : {false, true}) {
      const uint64_t a = swapped ? f.sign : 0;
      EXPECT_EQ(reduce_bits(f.type, gossMin, a, a ^ f.sign), f.sign);
      EXPECT_EQ(reduce_bits(f.type, gossMax, a, a ^ f.sign), 0u);
    }
    if (f.infinity != 0) {
      EXPECT_EQ(reduce_bits(f.type, gossMax, f.infinity, f.one), f.infinity);
      EXPECT_EQ(reduce_bits(f.type, gossMin, f.one, f.infinity | f.sign), f.infinity | f.sign);
    }
  }
}

TEST(Scalar, SubnormalsAreKept) {
  for (const FloatPatterns& f : kFloats) {
    EXPECT_EQ(reduce_bits(f.type, gossSum, 1, 1), 2u) << type_name(f.type);
    EXPECT_EQ(reduce_bits(f.type, gossProd, 1, f.one), 1u) << type_name(f.type);
  }
}

TEST(Scalar, ASingleSourceIsCopiedBitForBit) {
  for (const FloatPatterns& f : kFloats) {
    const void* source = &f.other_nan;
    for (const RedOp op : {gossSum, gossProd, gossMin, gossMax}) {
      uint64_t result = 0;
      scalar_kernel(f.type, op)({.dst = &result, .sources = &source, .nsources = 1, .count = 1});
      EXPECT_EQ(result, f.other_nan) << type_name(f.type);
    }
  }
}

}  // namespace
}  // namespace goss::reduce
