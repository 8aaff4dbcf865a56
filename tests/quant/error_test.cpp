// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The figures that scales give: no element is ever further off than the bound, and the expected
// error is what normally distributed numbers show.
#include <cmath>

#include "base/status.h"
#include "quant/operations.h"
#include "quant_cases.h"
#include "support/test_scale.h"

namespace goss::quant {
namespace {

struct Measured {
  double largest = 0, squares = 0;
  Figures figures;
};

class Errors : public testing::TestWithParam<Codec> {
 protected:
  Measured measure(const Numbers& numbers, const EncodeOptions& how) const {
    Measured m;
    std::vector<uint8_t> bytes(encoded_bytes(how.codec, numbers.size()));
    Numbers decoded(numbers.size());
    encode({.how = how,
            .src = numbers.data(),
            .type = gossFloat32,
            .count = numbers.size(),
            .dst = bytes.data(),
            .figures = &m.figures});
    decode({how.codec, bytes.data(), decoded.data(), gossFloat32, numbers.size()});
    for (size_t i = 0; i < numbers.size(); ++i) {
      const double exact = static_cast<double>(numbers[i]) * static_cast<double>(how.factor);
      const double error = std::abs(static_cast<double>(decoded[i]) - exact);
      m.largest = std::max(m.largest, error);
      m.squares += error * error;
    }
    return m;
  }
};

TEST_P(Errors, StayWithinTheBoundForNumbersOfAllKinds) {
  Random random(70);
  std::vector<Kind> kinds = ordinary_kinds();
  for (Kind& kind : extreme_kinds()) {
    const std::string name = kind.name;
    if (name != "any bits" && name != "a special one here and there") kinds.push_back(kind);
  }
  for (const Kind& kind : kinds) {
    for (int round = 0; round < test_scale(20, 4); ++round) {
      for (const MxScale mx_scale : {MxScale::kUp, MxScale::kFloor}) {
        for (const Rounding rounding : {Rounding::kNearest, Rounding::kStochastic}) {
          const float factor = round % 2 == 0 ? 1.0f : -1.0f / 3;
          const Numbers numbers = numbers_of(kind, 1500, random);
          const Measured m = measure(numbers, {.codec = GetParam(),
                                               .rounding = rounding,
                                               .mx_scale = mx_scale,
                                               .dither = {1, static_cast<uint64_t>(round), 0},
                                               .factor = factor});
          ASSERT_LE(m.largest, m.figures.bound)
              << kind.name << ", factor " << factor << ", rounding " << static_cast<int>(rounding);
        }
      }
    }
  }
}

TEST_P(Errors, OfNormalNumbersAreTheExpectedOnes) {
  Random random(71);
  const Numbers numbers = numbers_of(ordinary_kinds().front(), 1 << 17, random);
  for (const Rounding rounding : {Rounding::kNearest, Rounding::kStochastic}) {
    const Measured m = measure(numbers, {.codec = GetParam(), .rounding = rounding});
    // int2's remainders are far from equally likely, and that of sign knows no rounding.
    const bool coarse = GetParam() == Codec::kInt2 || GetParam() == Codec::kInt3;
    EXPECT_NEAR(m.squares / m.figures.noise, 1, coarse ? 0.6 : 0.15)
        << m.squares / m.figures.noise << ", rounding " << static_cast<int>(rounding);
  }
}

TEST_P(Errors, OfANonFiniteBlockAreUnbounded) {
  Numbers numbers(kTile, 1.0f);
  numbers[77] = from_bits(kInfinityBits);
  std::vector<uint8_t> bytes(encoded_bytes(GetParam(), numbers.size()));
  Figures figures;
  encode({.how = {.codec = GetParam()},
          .src = numbers.data(),
          .type = gossFloat32,
          .count = numbers.size(),
          .dst = bytes.data(),
          .figures = &figures});
  EXPECT_TRUE(std::isinf(figures.bound));
}

// The mean of many dithered encodings comes close to the number itself; nearest never would.
TEST_P(Errors, OfStochasticRoundingAverageOut) {
  if (GetParam() == Codec::kSign) GTEST_SKIP() << "a sign is not rounded";
  Random random(72);
  const Numbers numbers = numbers_of(ordinary_kinds().front(), kTile, random);
  constexpr int kTrials = 400;
  std::vector<double> sums(kTile);
  double one = 0, mean = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<uint8_t> bytes(encoded_bytes(GetParam(), kTile));
    Numbers decoded(kTile);
    encode({.how = {.codec = GetParam(),
                    .rounding = Rounding::kStochastic,
                    .dither = {5, static_cast<uint64_t>(trial), 0}},
            .src = numbers.data(),
            .type = gossFloat32,
            .count = kTile,
            .dst = bytes.data()});
    decode({GetParam(), bytes.data(), decoded.data(), gossFloat32, kTile});
    for (size_t i = 0; i < kTile; ++i) {
      sums[i] += decoded[i];
      if (trial == 0) one += std::pow(decoded[i] - numbers[i], 2);
    }
  }
  for (size_t i = 0; i < kTile; ++i) mean += std::pow(sums[i] / kTrials - numbers[i], 2);
  EXPECT_LT(mean, one / kTrials * 1.5);
}

// The direct way of n ranks: the bound that an owner reports after a hop.
TEST_P(Errors, OfASumStayWithinTheBoundThatItsOwnerReports) {
  Random random(73);
  constexpr size_t kCount = 3000;
  for (const size_t nranks : {2, 3, 8}) {
    std::vector<std::vector<uint8_t>> wires(nranks);
    std::vector<const uint8_t*> peers(nranks);
    std::vector<double> exact(kCount), magnitudes(kCount);
    Numbers own;
    for (size_t r = 0; r < nranks; ++r) {
      const Numbers numbers = numbers_of(ordinary_kinds().front(), kCount, random);
      for (size_t i = 0; i < kCount; ++i) {
        exact[i] += numbers[i];
        magnitudes[i] += std::abs(numbers[i]);
      }
      wires[r].resize(encoded_bytes(GetParam(), kCount));
      encode({.how = {.codec = GetParam()},
              .src = numbers.data(),
              .type = gossFloat32,
              .count = kCount,
              .dst = wires[r].data()});
      peers[r] = wires[r].data();
      if (r == 1) own = numbers;
    }
    std::vector<uint8_t> result(encoded_bytes(GetParam(), kCount));
    Numbers decoded(kCount);
    Figures figures;
    hop({.peer_codec = GetParam(),
         .peers = peers.data(),
         .nranks = nranks,
         .rank = 1,
         .own = own.data(),
         .type = gossFloat32,
         .count = kCount,
         .how = {.codec = GetParam()},
         .encoded = result.data(),
         .decoded = decoded.data(),
         .figures = &figures});
    double largest = 0, additions = 0;
    for (size_t i = 0; i < kCount; ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(decoded[i]) - exact[i]));
      additions = std::max(additions, 0x1p-24 * static_cast<double>(nranks) * magnitudes[i]);
    }
    EXPECT_LE(largest, figures.bound + additions);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Errors, testing::ValuesIn(all_codecs()), codec_name);

// What the choice of algorithms builds on: direct int8 stays below 6.2e-5 for any number of ranks.
TEST(DirectSums, OfInt8KeepTheirErrorForAnyNumberOfRanks) {
  Random random(74);
  constexpr size_t kCount = 16 * kTile;
  for (const size_t nranks : {2, 4, 8, 16, 64}) {
    std::vector<std::vector<uint8_t>> wires(nranks);
    std::vector<const uint8_t*> peers(nranks);
    std::vector<double> exact(kCount);
    Numbers own;
    for (size_t r = 0; r < nranks; ++r) {
      const Numbers numbers = numbers_of(ordinary_kinds().front(), kCount, random);
      for (size_t i = 0; i < kCount; ++i) exact[i] += numbers[i];
      wires[r].resize(encoded_bytes(Codec::kInt8, kCount));
      encode({.how = {},
              .src = numbers.data(),
              .type = gossFloat32,
              .count = kCount,
              .dst = wires[r].data()});
      peers[r] = wires[r].data();
      if (r == 0) own = numbers;
    }
    std::vector<uint8_t> result(encoded_bytes(Codec::kInt8, kCount));
    Numbers decoded(kCount);
    hop({.peer_codec = Codec::kInt8,
         .peers = peers.data(),
         .nranks = nranks,
         .rank = 0,
         .own = own.data(),
         .type = gossFloat32,
         .count = kCount,
         .how = {},
         .encoded = result.data(),
         .decoded = decoded.data()});
    double errors = 0, squares = 0;
    for (size_t i = 0; i < kCount; ++i) {
      errors += std::pow(decoded[i] - exact[i], 2);
      squares += exact[i] * exact[i];
    }
    EXPECT_LT(errors / squares, 6.2e-5) << nranks << " ranks";
  }
}

}  // namespace
}  // namespace goss::quant
