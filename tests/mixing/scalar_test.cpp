// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The specification of weighted means against numbers worked out by hand, and its properties.
#include <cmath>

#include "mixing_cases.h"

namespace goss::mixing {
namespace {

struct Mixed {
  Bytes result;
  Difference difference;
};

Mixed mix(DataType type, const std::vector<Bytes>& sources, const std::vector<double>& factors,
          double divisor) {
  Mixed mixed{Bytes(sources[0].size()), {}};
  std::vector<const void*> pointers;
  for (const Bytes& source : sources) pointers.push_back(source.data());
  scalar_mix(type)({.dst = mixed.result.data(),
                    .sources = pointers.data(),
                    .factors = factors.data(),
                    .nsources = sources.size(),
                    .count = sources[0].size() / type_size(type),
                    .divisor = divisor,
                    .difference = sources.size() == 2 ? &mixed.difference : nullptr});
  return mixed;
}

Bytes numbers(DataType type, const std::vector<double>& values) {
  Bytes bytes(values.size() * type_size(type));
  for (size_t i = 0; i < values.size(); ++i) store_number(type, values[i], bytes.data(), i);
  return bytes;
}

TEST(Mix, OfAPairIsItsMean) {
  for (const DataType type : kMixedTypes) {
    const Mixed mixed =
        mix(type, {numbers(type, {1, -2, 0.5, 7}), numbers(type, {3, 2, 0.25, 7})}, {1, 1}, 2);
    EXPECT_EQ(mixed.result, numbers(type, {2, 0, 0.375, 7})) << type_name(type);
    EXPECT_EQ(mixed.difference.sum_of_squares, 4 + 16 + 0.0625);
    EXPECT_EQ(mixed.difference.largest, 4);
  }
}

TEST(Mix, WeighsByParts) {
  for (const DataType type : kMixedTypes) {
    const Mixed mixed = mix(type, {numbers(type, {4}), numbers(type, {10})}, {4, 2}, 6);
    EXPECT_EQ(mixed.result, numbers(type, {6})) << type_name(type);
  }
}

// T3: each partner mixes into its own model, with the lower rank's as the left operand, and maybe
// with another instruction set.
TEST(Mix, LeavesPartnersWithTheSameBits) {
  Random random(1);
  for (const DataType type : kMixedTypes) {
    for (const double low_parts : {1.0, 3.0}) {
      Bytes low = random_bits(type, 3000, random);
      Bytes high = random_bits(type, 3000, random);
      const Bytes low_sent = low, high_sent = high;
      const double factors[] = {low_parts, 2};
      const void* at_low[] = {low.data(), high_sent.data()};
      const void* at_high[] = {low_sent.data(), high.data()};
      MixArguments a{.dst = low.data(),
                     .sources = at_low,
                     .factors = factors,
                     .nsources = 2,
                     .count = 3000,
                     .divisor = low_parts + 2};
      isa_kernels(available_isas().front(), type).mix(a);
      a.dst = high.data();
      a.sources = at_high;
      isa_kernels(available_isas().back(), type).mix(a);
      EXPECT_EQ(low, high) << type_name(type);
    }
  }
}

TEST(Mix, OfEqualWeightsIsTheSameFromEitherSide) {
  Random random(1);
  for (const DataType type : kMixedTypes) {
    const Bytes low = random_bits(type, 3000, random);
    const Bytes high = random_bits(type, 3000, random);
    EXPECT_EQ(mix(type, {low, high}, {1, 1}, 2).result, mix(type, {high, low}, {1, 1}, 2).result);
  }
}

TEST(Mix, OfAPairInConsensusChangesNothing) {
  Random random(2);
  for (const DataType type : kMixedTypes) {
    const Bytes x = model(type, 5000, 1, random);
    EXPECT_EQ(mix(type, {x, x}, {1, 1}, 2).result, x) << type_name(type);
  }
}

// A weight of 1/3 rounded to fp32 is 1.00000003 thirds: models would grow by that in every step.
TEST(Mix, OfManyInConsensusDoesNotDrift) {
  Random random(2);
  const Bytes x = model(gossFloat32, 200'000, 1, random);
  for (const size_t n : {3, 5, 6, 7, 11, 13, 24}) {
    const Bytes mixed = mix(gossFloat32, std::vector<Bytes>(n, x), std::vector<double>(n, 1),
                            static_cast<double>(n))
                            .result;
    double drift = 0;
    for (size_t i = 0; i < 200'000; ++i) {
      const double before = load_number(gossFloat32, x.data(), i);
      const double change = load_number(gossFloat32, mixed.data(), i) / before - 1;
      ASSERT_LE(std::abs(change), 3e-8 * static_cast<double>(n));
      drift += change / 200'000;
    }
    EXPECT_LT(std::abs(drift), 1e-9) << "n=" << n;
  }
}

TEST(Mix, SplitsAndAddsForPushSum) {
  for (const DataType type : {gossFloat32, gossFloat64}) {
    Random random(3);
    const Bytes x = model(type, 100, 1, random);
    const Bytes sent = mix(type, {x}, {1}, 2).result;
    const Bytes kept = mix(type, {x, sent}, {1, -1}, 1).result;
    EXPECT_EQ(sent, kept);
    EXPECT_EQ(mix(type, {kept, sent}, {1, 1}, 1).result, x);
    EXPECT_EQ(mix(type, {kept}, {1}, 0.5).result, x);  // x / w
  }
}

TEST(Mix, PassesInfinitiesAndNansOn) {
  const double inf = 1.0 / 0.0;
  for (const DataType type : kMixedTypes) {
    const Mixed mixed =
        mix(type, {numbers(type, {inf, 1, inf, std::nan("")}), numbers(type, {1, -inf, -inf, 1})},
            {1, 1}, 2);
    EXPECT_EQ(load_number(type, mixed.result.data(), 0), inf);
    EXPECT_EQ(load_number(type, mixed.result.data(), 1), -inf);
    EXPECT_TRUE(std::isnan(load_number(type, mixed.result.data(), 2)));
    EXPECT_TRUE(std::isnan(load_number(type, mixed.result.data(), 3)));
    EXPECT_TRUE(std::isnan(mixed.difference.sum_of_squares));
  }
}

TEST(Mix, MeasuresTheDifferenceOfLongVectors) {
  Random random(4);
  for (const DataType type : kMixedTypes) {
    const size_t count = 70'001;
    const Bytes a = model(type, count, 1, random);
    const Bytes b = nearby(type, a, 0.1, random);
    double squares = 0, largest = 0;
    for (size_t i = 0; i < count; ++i) {
      const double d = load_number(type, b.data(), i) - load_number(type, a.data(), i);
      squares += d * d;
      largest = std::max(largest, std::abs(d));
    }
    const Mixed mixed = mix(type, {a, b}, {1, 1}, 2);
    EXPECT_NEAR(mixed.difference.sum_of_squares / squares, 1, 1e-5);
    EXPECT_NEAR(mixed.difference.largest, largest, 1e-6);
  }
}

TEST(Mix, IsForFloatsOnly) {
  for (int t = 0; t < gossNumTypes; ++t) {
    const auto type = static_cast<DataType>(t);
    EXPECT_EQ(scalar_mix(type) != nullptr, mixes(type)) << type_name(type);
    if (mixes(type)) {
      EXPECT_EQ(scalar_kernels(type).modulo_mix != nullptr, compresses(type)) << type_name(type);
    }
  }
}

}  // namespace
}  // namespace goss::mixing
