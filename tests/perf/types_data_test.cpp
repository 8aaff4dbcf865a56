// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The crafted data of the perf tools: exact in every order, and never equal by accident.
#include "types_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "float_format.h"

namespace goss::perf {
namespace {

constexpr gossDataType_t kFloats[] = {gossFloat16,  gossFloat32,    gossFloat64,
                                      gossBfloat16, gossFloat8e4m3, gossFloat8e5m2};

uint64_t element(const Tile& tile, size_t index) {
  const size_t size = type_size(tile.type);
  uint64_t bits = 0;
  std::memcpy(&bits, tile.bytes.data() + index * size, size);
  return bits;
}

TEST(FloatFormat, EveryNarrowValueSurvivesTheWayToDoubleAndBack) {
  for (const gossDataType_t type : {gossFloat16, gossBfloat16, gossFloat8e4m3, gossFloat8e5m2}) {
    const uint64_t all = uint64_t{1} << (8 * type_size(type));
    for (uint64_t bits = 0; bits < all; ++bits) {
      const double value = decode_float(bits, type);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(decode_float(encode_float(value, type), type)));
      } else {
        ASSERT_EQ(encode_float(value, type), bits) << type_name(type) << " " << value;
      }
    }
  }
}

TEST(FloatFormat, WideTypesAgreeWithTheCompiler) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t bits = random();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isnan(value)) continue;
    ASSERT_EQ(encode_float(value, gossFloat64), bits);
    const auto narrow = static_cast<float>(value);
    uint32_t expected;
    std::memcpy(&expected, &narrow, sizeof expected);
    ASSERT_EQ(encode_float(value, gossFloat32), expected) << value;
    ASSERT_EQ(decode_float(expected, gossFloat32), static_cast<double>(narrow));
  }
}

TEST(FloatFormat, TiesGoToEven) {
  EXPECT_EQ(decode_float(encode_float(17, gossFloat8e4m3), gossFloat8e4m3), 16);
  EXPECT_EQ(decode_float(encode_float(19, gossFloat8e4m3), gossFloat8e4m3), 20);
  EXPECT_EQ(decode_float(encode_float(448, gossFloat8e4m3), gossFloat8e4m3), 448);
}

// Sums and products of floats must be the same in every order, rounded to the type at every step.
TEST(CraftedInputs, FloatResultsAreExactInEveryOrder) {
  std::mt19937 random(1);
  for (const gossDataType_t type : kFloats) {
    for (const int nranks : {1, 2, 3, 8, 33, 300}) {
      for (const int op : {gossSum, gossProd}) {
        const Problem problem{type, op, nranks, 5};
        const Tile expected = reduced_tile(problem);
        std::vector<Tile> inputs;
        std::vector<size_t> order;
        for (int rank = 0; rank < nranks; ++rank) {
          inputs.push_back(input_tile(problem, rank));
          order.push_back(static_cast<size_t>(rank));
        }
        std::shuffle(order.begin(), order.end(), random);
        for (size_t i = 0; i < kTileElements; i += 7) {
          double result = op == gossSum ? 0 : 1;
          for (const size_t rank : order) {
            const double x = decode_float(element(inputs[rank], i), type);
            result = op == gossSum ? result + x : result * x;
            result = decode_float(encode_float(result, type), type);
          }
          ASSERT_EQ(result, decode_float(element(expected, i), type))
              << type_name(type) << ", " << op_name(op) << ", " << nranks << " ranks, " << i;
        }
      }
    }
  }
}

TEST(CraftedInputs, RanksAndRoundsDiffer) {
  for (int type = 0; type < gossNumTypes; ++type) {
    for (const int op : {kCopy, static_cast<int>(gossSum), static_cast<int>(gossMin)}) {
      const Problem first{static_cast<gossDataType_t>(type), op, 2, 1};
      Problem second = first;
      second.round = 2;
      EXPECT_NE(input_tile(first, 0).bytes, input_tile(first, 1).bytes);
      EXPECT_NE(input_tile(first, 0).bytes, input_tile(second, 0).bytes);
    }
  }
}

TEST(Compare, FindsOneWrongElementAnywhere) {
  for (int type = 0; type < gossNumTypes; ++type) {
    const Problem problem{static_cast<gossDataType_t>(type), gossSum, 3, 1};
    const Tile tile = reduced_tile(problem);
    const size_t count = 2 * kTileElements + 5;
    const size_t size = type_size(problem.type);
    std::vector<std::byte> data(count * size);
    fill(data.data(), count, tile);
    EXPECT_EQ(compare(data.data(), count, tile, {0}, false).wrong, 0u);
    for (const size_t at : {size_t{0}, kTileElements, count - 1}) {
      data[at * size + size - 1] ^= std::byte{0x3c};
      const Mismatch mismatch = compare(data.data(), count, tile, {2}, false);
      EXPECT_EQ(mismatch.wrong, 1u) << type_name(problem.type);
      EXPECT_EQ(mismatch.first, at);
      data[at * size + size - 1] ^= std::byte{0x3c};
    }
  }
}

TEST(Compare, TakesABlockForNoOtherOne) {
  const Problem problem{gossInt32, kCopy, 2, 1};
  const Tile tile = input_tile(problem, 1);
  const size_t count = 3 * kTileElements;
  std::vector<std::byte> data(count * 4);
  fill(data.data(), count, tile);
  for (const size_t from : {size_t{0}, size_t{5}, kTileElements, kTileElements + 4000}) {
    const std::byte* block = data.data() + from * 4;
    EXPECT_EQ(compare(block, kTileElements + 9, tile, {0}, true, from).wrong, 0u) << from;
    EXPECT_EQ(compare(block, 64, tile, {0}, true, from + 64).wrong, 64u) << from;
  }
}

TEST(Compare, AllowsUnitsInTheLastPlaceOnlyWithinTheTolerance) {
  const Problem problem{gossFloat32, gossAvg, 3, 1};
  const Tile tile = reduced_tile(problem);
  std::vector<uint32_t> data(kTileElements);
  std::memcpy(data.data(), tile.bytes.data(), tile.bytes.size());
  ASSERT_EQ(tolerance_ulp(problem), 2);
  data[1] += 2;
  EXPECT_EQ(compare(data.data(), data.size(), tile, {2}, false).wrong, 0u);
  data[1] += 1;
  EXPECT_EQ(compare(data.data(), data.size(), tile, {2}, false).wrong, 1u);
  EXPECT_EQ(compare(data.data(), data.size(), tile, {2}, true).wrong, 1u);
}

TEST(Compare, CountsWhatIsFurtherOffThanTheBoundAndNothingElse) {
  for (const gossDataType_t type : {gossFloat32, gossFloat16, gossBfloat16}) {
    const Tile tile = reduced_tile({type, gossSum, 3, 1, true});
    const size_t size = type_size(type);
    double largest = 1;
    for (size_t i = 0; i < kTileElements; ++i) {
      largest = std::max(largest, std::abs(decode_float(element(tile, i), type)));
    }
    const Tolerance tolerance{0, std::exp2(std::ceil(std::log2(largest)))};
    for (const size_t at : {size_t{0}, size_t{77}, kTileElements - 1}) {
      std::vector<std::byte> data = tile.bytes;
      const auto off_by = [&](double times) {
        const double number = decode_float(element(tile, at), type) + times * tolerance.distance;
        const uint64_t bits = encode_float(number, type);
        std::memcpy(data.data() + at * size, &bits, size);
        return compare(data.data(), kTileElements, tile, tolerance, false);
      };
      EXPECT_EQ(off_by(0.5).wrong, 0u) << type_name(type);
      EXPECT_EQ(off_by(-0.5).wrong, 0u) << type_name(type);
      EXPECT_NEAR(off_by(0.5).largest_error / tolerance.distance, 0.5, 0.02) << type_name(type);
      EXPECT_GT(off_by(0.5).noise, 0) << type_name(type);
      EXPECT_EQ(off_by(1.5).wrong, 1u) << type_name(type);
      EXPECT_EQ(off_by(-1.5).wrong, 1u) << type_name(type);
      off_by(0);
      spoil(data.data() + at * size, type, tolerance);
      EXPECT_EQ(compare(data.data(), kTileElements, tile, tolerance, false).wrong, 1u)
          << type_name(type);
    }
  }
}

TEST(Compare, TakesBothZerosForEqualAndNoNanForANumber) {
  Tile tile{gossFloat32, std::vector<std::byte>(kTileElements * 4)};
  std::vector<uint32_t> data(kTileElements, 0x80000000u);
  EXPECT_EQ(compare(data.data(), data.size(), tile, {0}, false).wrong, 0u);
  EXPECT_EQ(compare(data.data(), data.size(), tile, {0}, true).wrong, data.size());
  data[3] = 0x7fc00000u;
  EXPECT_EQ(compare(data.data(), data.size(), tile, {2}, false).wrong, 1u);
}

}  // namespace
}  // namespace goss::perf
