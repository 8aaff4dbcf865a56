// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <vector>

namespace goss::adaptive {
namespace {

// The known answers that the authors publish with Random123 (kat_vectors, philox4x32 10).
TEST(Philox, GivesTheKnownAnswersOfItsAuthors) {
  EXPECT_EQ(philox<10>({0, 0, 0, 0}, {0, 0}),
            (Philox::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox<10>({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Philox::Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox<10>({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Philox::Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, StreamsOfDifferentPurposesEpochsLanesAndSeedsDiffer) {
  const auto first = [](uint64_t seed, Purpose purpose, uint64_t epoch, uint32_t lane) {
    Philox random(seed, purpose, epoch, lane);
    return std::vector<uint32_t>{random.next(), random.next(), random.next(), random.next()};
  };
  const auto base = first(1, Purpose::kOrder, 2, 3);
  EXPECT_EQ(base, first(1, Purpose::kOrder, 2, 3));
  EXPECT_NE(base, first(uint64_t{1} << 40, Purpose::kOrder, 2, 3));
  EXPECT_NE(base, first(1, Purpose::kMix, 2, 3));
  EXPECT_NE(base, first(1, Purpose::kOrder, 3, 3));
  EXPECT_NE(base, first(1, Purpose::kOrder, 2, 4));
}

// 4.5 standard deviations around the mean, for every value and every place.
TEST(Philox, ShufflesEvenly) {
  constexpr int kDraws = 20'000;
  for (const int n : {2, 3, 5, 8}) {
    std::map<std::pair<int, int>, int> seen;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<int> items(static_cast<size_t>(n));
      std::iota(items.begin(), items.end(), 0);
      shuffle(std::span(items), Philox(9, Purpose::kOrder, static_cast<uint64_t>(draw), 0));
      for (int i = 0; i < n; ++i) ++seen[{i, items[static_cast<size_t>(i)]}];
    }
    const double mean = double{kDraws} / n;
    ASSERT_EQ(seen.size(), static_cast<size_t>(n * n));
    for (const auto& [place, times] : seen) {
      EXPECT_NEAR(times, mean, 4.5 * std::sqrt(mean * (1 - 1.0 / n))) << "n=" << n;
    }
  }
}

TEST(Philox, NumbersBelowABoundCoverItAndStayBelow) {
  Philox random(3, Purpose::kOrder, 0, 0);
  std::vector<int> seen(7);
  for (int i = 0; i < 7000; ++i) ++seen[random.below(7)];
  for (const int times : seen) EXPECT_NEAR(times, 1000, 4.5 * std::sqrt(1000 * 6.0 / 7));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0u);
}

}  // namespace
}  // namespace goss::adaptive
